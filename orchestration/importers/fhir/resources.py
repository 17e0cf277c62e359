"""What is read of each resource type, and the words of FHIR in SQL: dates in part, codings, references.

Elements: FHIR R4 (hl7.org/fhir/R4). Only what an extract has a column for leaves the reader, so that gigabytes of export become narrow tables.
"""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from dataclasses import dataclass

from orchestration.importers.export import MAPS
from orchestration.sql import literal

# FHIR's dates may be a year or a month; a time is local to the practice's zone once it is a day. One without a zone of its own is local to the
# practice, as in any extract: of two the first. A reference becomes one text, whatever form it comes in: `Type/id` (relative, absolute, versioned,
# urn:uuid), `Type?system|value` (conditional, or an identifier alone), `#` (contained). A state is what the coding of its own system says, wherever among
# the codings it stands; where none is of that system, the first. `parts`: words of which each coding and text stands by itself.
_MACROS = r"""
create macro of_local(local, zone) as case
    when timezone(zone, timezone(zone, local) - interval 1 hour) = local then timezone(zone, local) - interval 1 hour
    else timezone(zone, local) end;
create macro moment_of(text, zone) as case
    when not regexp_matches(text, '^[0-9]{4}[^0-9]') then null -- of no year of ours, such as infinity: with a minute more it may be of none at all
    when regexp_matches(text, ':[0-9.]+ ?(Z|z|[+-][0-9:]+)$') then try_cast(text as timestamptz)
    else of_local(try_cast(text as timestamp), zone) end;
create macro instant_of(text) as case when length(text) > 10 then moment_of(text, getvariable('zone')) end;
create macro utc(moment) as strftime(timezone('UTC', moment), '%Y-%m-%dT%H:%M:%SZ');
create macro first_day(text, zone) as case length(text)
    when 4 then try_cast(text || '-01-01' as date) when 7 then try_cast(text || '-01' as date) when 10 then try_cast(text as date)
    else cast(timezone(zone, moment_of(text, zone)) as date) end;
create macro last_of(text, zone) as case length(text)
    when 4 then try_cast(text || '-12-31' as date) when 7 then last_day(try_cast(text || '-01' as date)) when 10 then try_cast(text as date)
    else cast(timezone(zone, moment_of(text, zone)) as date) end;
create macro codings(concept) as coalesce(json_extract(concept, '$.coding[*]'), []);
create macro all_codings(concepts) as coalesce(json_extract(concepts, '$[*].coding[*]'), []);
create macro words(given, more) as lower(concat_ws(' ',
    list_aggregate(list_transform(given, lambda c: concat_ws(' ',
        coalesce(system_of(c->>'$.system') || ':', '') || (c->>'$.code'), c->>'$.display')), 'string_agg', ' '), more));
create macro parts(given, texts) as lower(regexp_replace(list_aggregate(list_concat(
    list_transform(given, lambda c: concat_ws(' ', coalesce(system_of(c->>'$.system') || ':', '') || (c->>'$.code'), c->>'$.display')), texts),
    'string_agg', ' | '), '[\s\x{a0}]+', ' ', 'g'));
create macro texts(concepts) as list_aggregate(json_extract_string(concepts, '$[*].text'), 'string_agg', ' ');
create macro code_in(given, wanted) as list_filter(given, lambda c: system_of(c->>'$.system') = wanted)[1]->>'$.code';
create macro state_in(concept, wanted) as coalesce(code_in(codings(concept), wanted), codings(concept)[1]->>'$.code');
create macro procedure_of(given) as upper(list_filter(given, lambda c: system_of(c->>'$.system') in ('cpt', 'hcpcs')
    and regexp_full_match(upper(c->>'$.code'), '[0-9A-Z][0-9]{3}[0-9A-Z]'))[1]->>'$.code');
create macro ref_of(reference, type) as coalesce(
    case
        when (reference->>'$.reference') like '#%' then '#'
        when (reference->>'$.reference') like 'urn:uuid:%' then type || '/' || substr(reference->>'$.reference', 10)
        when contains(reference->>'$.reference', '?') then regexp_replace(
            url_decode(reference->>'$.reference'), '^(?:.*/)?([A-Za-z]+)\?identifier=', '\1?')
        else nullif(regexp_extract(reference->>'$.reference', '([A-Za-z]+/[A-Za-z0-9.-]{1,64})(/_history/[^/]*)?$', 1), '')
    end,
    type || '?' || coalesce((reference->>'$.identifier.system') || '|', '') || (reference->>'$.identifier.value'));
create macro refs_of(given, type) as list_filter(
    list_transform(coalesce(given, []), lambda r: ref_of(r, type)), lambda r: r is not null);
create macro actors_of(participants, types) as list_filter(json_extract(participants, '$[*].actor'), lambda a:
    coalesce(list_contains(types, regexp_extract(a->>'$.type', '[A-Za-z]+$')), true));
create macro identifiers_of(given) as list_transform(coalesce(json_extract(given, '$[*]'), []), lambda i: {
    system: i->>'$.system', value: i->>'$.value'});
create macro identifier_in(given, wanted) as list_reverse_sort(list_transform(
    list_filter(coalesce(json_extract(given, '$[*]'), []), lambda i: system_of(i->>'$.system') = wanted),
    lambda i, nth: {
        is_not_old: coalesce(i->>'$.use', '') <> 'old', is_open: (i->>'$.period.end') is null,
        until: coalesce(i->>'$.period.end', ''), since: coalesce(i->>'$.period.start', ''), nth: -nth, value: i->>'$.value'
    }))[1].value;
create macro contained_in(given, type) as list_filter(coalesce(json_extract(given, '$[*]'), []), lambda c:
    (c->>'$.resourceType') = type and (c->>'$.name') <> '');
create macro best_of(given) as coalesce(
    list_filter(json_extract(given, '$[*]'), lambda n: coalesce(n->>'$.use', '') = 'official')[1],
    list_filter(json_extract(given, '$[*]'), lambda n: coalesce(n->>'$.use', '') not in ('old', 'temp', 'nickname', 'anonymous', 'maiden'))[1],
    json_extract(given, '$[0]'));
create macro answer_of(said) as coalesce(refusal_of(said), slip_of(said));
create macro one_line(text) as nullif(trim(regexp_replace(text, '\s+', ' ', 'g')), '');
"""


@dataclass(frozen=True)
class Resource:
    """`columns`: top-level elements and how they are read; `select`: what of them becomes a column of its table."""

    columns: dict[str, str]
    select: str


def _of(texts: str, trees: str, select: str) -> Resource:
    return Resource({**dict.fromkeys(texts.split(), "VARCHAR"), **dict.fromkeys(trees.split(), "JSON")}, select)


RESOURCES: dict[str, Resource] = {
    "Organization": _of(
        "name", "identifier partOf",
        """r.name, identifiers_of(r.identifier) as identifiers, identifier_in(r.identifier, 'npi') as npi,
        regexp_replace(identifier_in(r.identifier, 'tin'), '[^0-9]', '', 'g') as tin, ref_of(r.partOf, 'Organization') as part_of_ref""",
    ),
    "Practitioner": _of(
        "active", "identifier name qualification",
        """identifiers_of(r.identifier) as identifiers, r.active, identifier_in(r.identifier, 'npi') as npi,
        one_line(coalesce(nullif(concat_ws(' ', best_of(r.name)->>'$.given[0]', best_of(r.name)->>'$.family'), ''), best_of(r.name)->>'$.text'))
            as name,
        code_in(all_codings(json_extract(r.qualification, '$[*].code')::json), 'nucc') as taxonomy_code,
        words(all_codings(json_extract(r.qualification, '$[*].code')::json), concat_ws(' ',
            texts(json_extract(r.qualification, '$[*].code')::json), best_of(r.name)->>'$.suffix[0]')) as words""",
    ),
    "PractitionerRole": _of(
        "active", "identifier practitioner organization code specialty period",
        """r.active, identifiers_of(r.identifier) as identifiers, ref_of(r.practitioner, 'Practitioner') as practitioner_ref,
        ref_of(r.organization, 'Organization') as organization_ref, code_in(all_codings(r.specialty), 'nucc') as specialty_taxonomy,
        code_in(all_codings(r.code), 'nucc') as code_taxonomy, r.period->>'$.start' as period_start, r.period->>'$.end' as period_end,
        words(list_concat(all_codings(r.code), all_codings(r.specialty)), concat_ws(' ', texts(r.code), texts(r.specialty))) as words""",
    ),
    "Patient": _of(
        "active gender birthDate deceasedBoolean deceasedDateTime",
        "_deceasedDateTime identifier name address telecom generalPractitioner managingOrganization link",
        """r.active, r.gender, r.birthDate as birth_date, r.deceasedDateTime as deceased_at,
        -- a day that is absent for a reason is a death all the same, unless the reason is that there is none
        r.deceasedBoolean = 'true' or r.deceasedDateTime <> '' or coalesce(len(list_filter(json_extract_string(r._deceasedDateTime,
            '$.extension[*].valueCode'), lambda c: c <> 'not-applicable')) > 0, false) as is_dead,
        identifiers_of(r.identifier) as identifiers, identifier_in(r.identifier, 'mbi') as mbi,
        one_line(best_of(r.name)->>'$.given[0]') as first_name, one_line(best_of(r.name)->>'$.given[1]') as middle_name,
        one_line(best_of(r.name)->>'$.family') as last_name,
        one_line(best_of(r.address)->>'$.line[0]') as address_line1, one_line(best_of(r.address)->>'$.city') as city,
        best_of(r.address)->>'$.state' as state, best_of(r.address)->>'$.postalCode' as postal_code,
        list_filter(json_extract(r.telecom, '$[*]'), lambda t: t->>'$.system' = 'phone' and coalesce(t->>'$.use', '') <> 'old')[1]->>'$.value'
            as phone,
        refs_of(json_extract(r.generalPractitioner, '$[*]'), 'Practitioner') as general_practitioner_refs,
        ref_of(r.managingOrganization, 'Organization') as organization_ref,
        ref_of(list_filter(json_extract(r.link, '$[*]'), lambda l: l->>'$.type' = 'replaced-by')[1]->'$.other', 'Patient') as replaced_by_ref""",
    ),
    "Coverage": _of(
        "status subscriberId order", "identifier type beneficiary period payor class contained",
        """r.status, coalesce(nullif(r.subscriberId, ''), identifier_in(r.identifier, 'mbi'), r.identifier->>'$[0].value') as member_id,
        try_cast(r.order as integer) as priority, ref_of(r.beneficiary, 'Patient') as patient_ref,
        r.period->>'$.start' as period_start, r.period->>'$.end' as period_end,
        list_filter(refs_of(json_extract(r.payor, '$[*]'), 'Organization'), lambda p: p <> '#') as payor_refs,
        list_filter(coalesce(json_extract_string(r.payor, '$[*].reference'), []), lambda p: p like '#%'
            and not list_contains(list_transform(contained_in(r.contained, 'Organization'), lambda c: '#' || (c->>'$.id')), p)) as lost_payors,
        words(codings(r.type), concat_ws(' ', r.type->>'$.text', list_aggregate(list_concat(
            coalesce(json_extract_string(r.class, '$[*].value'), []), coalesce(json_extract_string(r.class, '$[*].name'), []),
            coalesce(json_extract_string(r.payor, '$[*].display'), [])), 'string_agg', ' '),
            list_aggregate(list_transform(list_filter(contained_in(r.contained, 'Organization'), lambda c:
                list_contains(json_extract_string(r.payor, '$[*].reference'), '#' || (c->>'$.id'))), lambda c: c->>'$.name'), 'string_agg', ' ')
            )) as words""",
    ),
    "Condition": _of(
        "onsetDateTime abatementDateTime recordedDate abatementString",
        "clinicalStatus verificationStatus category code subject onsetPeriod abatementPeriod abatementAge abatementRange",
        """ref_of(r.subject, 'Patient') as patient_ref, state_in(r.clinicalStatus, 'clinical') as clinical_status,
        state_in(r.verificationStatus, 'verification') as verification_status,
        upper(replace(code_in(codings(r.code), 'icd10cm'), '.', '')) as icd10_code, code_in(codings(r.code), 'snomed') as snomed_code,
        coalesce(json_extract_string(r.category, '$[*].coding[*].code'), []) as categories, len(codings(r.code)) > 0 as is_coded,
        coalesce(r.onsetDateTime, r.onsetPeriod->>'$.start') as onset, r.recordedDate as recorded,
        coalesce(r.abatementDateTime, r.abatementPeriod->>'$.end', r.abatementPeriod->>'$.start') as abatement,
        coalesce(r.abatementString, r.abatementAge, r.abatementRange) is not null as has_abated""",
    ),
    "Encounter": _of(
        "status", "class type subject participant period serviceProvider serviceType",
        """r.status, ref_of(r.subject, 'Patient') as patient_ref, r.period->>'$.start' as period_start, r.period->>'$.end' as period_end,
        ref_of(r.serviceProvider, 'Organization') as organization_ref, r.class->>'$.code' as class_code,
        refs_of(json_extract(r.participant, '$[*].individual'), 'Practitioner') as member_refs, procedure_of(all_codings(r.type)) as procedure_code,
        one_line(coalesce(r.type->>'$[0].text', r.type->>'$[0].coding[0].display')) as type_text,
        concat_ws(' ', 'act:' || lower(r.class->>'$.code'), words(list_concat(all_codings(r.type), codings(r.serviceType)),
            concat_ws(' ', texts(r.type), r.serviceType->>'$.text'))) as words""",
    ),
    "Appointment": _of(
        "status start end minutesDuration", "participant serviceType appointmentType reasonCode",
        """r.status, r.start as starts, r."end" as ends, try_cast(r.minutesDuration as integer) as minutes,
        list_filter(refs_of(actors_of(r.participant, ['Patient']), 'Patient'), lambda a: a like 'Patient%' or a = '#') as patient_refs,
        list_filter(refs_of(actors_of(r.participant, ['Practitioner', 'PractitionerRole']), 'Practitioner'), lambda a: a like 'Practitioner%')
            as member_refs,
        one_line(coalesce(r.serviceType->>'$[0].text', r.serviceType->>'$[0].coding[0].display', r.appointmentType->>'$.text',
            r.appointmentType->>'$.coding[0].display')) as type_text,
        words(list_concat(list_concat(all_codings(r.serviceType), codings(r.appointmentType)), all_codings(r.reasonCode)), concat_ws(' ',
            texts(r.serviceType), r.appointmentType->>'$.text', texts(r.reasonCode))) as words""",
    ),
    "Procedure": _of(
        "status performedDateTime", "code subject performedPeriod performer encounter",
        """r.status, ref_of(r.subject, 'Patient') as patient_ref, procedure_of(codings(r.code)) as procedure_code,
        coalesce(r.performedDateTime, r.performedPeriod->>'$.start') as performed, ref_of(r.encounter, 'Encounter') as encounter_ref,
        refs_of(json_extract(r.performer, '$[*].actor'), 'Practitioner') as member_refs""",
    ),
    "Claim": _of(
        "status use created", "patient billablePeriod provider item careTeam",
        """r.status, r.use as claim_use, ref_of(r.patient, 'Patient') as patient_ref, ref_of(r.provider, 'Practitioner') as provider_ref,
        refs_of(json_extract(r.careTeam, '$[*].provider'), 'Practitioner') as member_refs,
        list_transform(coalesce(json_extract(r.item, '$[*]'), []), lambda i: {
            sequence: i->>'$.sequence', procedure_code: procedure_of(codings(i->'$.productOrService')),
            served: coalesce(i->>'$.servicedDate', i->>'$.servicedPeriod.start', r.billablePeriod->>'$.start'),
            quantity: i->>'$.quantity.value'}) as items""",
    ),
    "CarePlan": _of(
        "status intent title created", "category subject period",
        """r.status, r.intent, ref_of(r.subject, 'Patient') as patient_ref, coalesce(r.period->>'$.start', r.created) as established,
        words(all_codings(r.category), concat_ws(' ', texts(r.category), r.title)) as words""",
    ),
    "Consent": _of(
        "status dateTime", "scope category patient performer sourceAttachment sourceReference policyRule provision verification",
        """r.status, ref_of(r.patient, 'Patient') as patient_ref, r.dateTime as consented, r.provision->>'$.type' as provision_type,
        r.provision->>'$.period.start' as period_start, r.provision->>'$.period.end' as period_end,
        coalesce(list_contains(json_extract_string(r.provision, '$.provision[*]..type'), 'deny'), false) as has_inner_deny,
        refs_of(json_extract(r.performer, '$[*]'), 'Practitioner') as member_refs,
        coalesce(r.sourceAttachment, r.sourceReference) is not null as is_written,
        coalesce(list_contains(json_extract_string(r.verification, '$[*].verified'), 'true'), false) as is_verified,
        parts(list_concat(list_concat(codings(r.scope), all_codings(r.category)),
            list_concat(codings(r.policyRule), all_codings(r.provision->'$.code'))), list_concat(list_concat([r.scope->>'$.text'],
            json_extract_string(r.category, '$[*].text')), list_concat([r.policyRule->>'$.text'], json_extract_string(r.provision, '$.code[*].text'))
            )) as words, answer_of(words) as refusal""",
    ),
    "CareTeam": _of(
        "status", "subject participant",
        """r.status, ref_of(r.subject, 'Patient') as patient_ref,
        list_transform(coalesce(json_extract(r.participant, '$[*]'), []), lambda p: {
            ref: ref_of(p->'$.member', 'Practitioner'), words: words(all_codings(p->'$.role'), texts(p->'$.role')),
            period_end: p->>'$.period.end'}) as participants""",
    ),
    "Communication": _of(
        "status sent received", "subject sender recipient statusReason category medium topic reasonCode payload",
        """r.status, ref_of(r.subject, 'Patient') as patient_ref, coalesce(r.sent, r.received) as sent,
        ref_of(r.sender, 'Practitioner') as sender_ref, words(all_codings(r.medium), texts(r.medium)) as medium_words,
        words(list_concat(list_concat(all_codings(r.category), codings(r.topic)), all_codings(r.reasonCode)),
            concat_ws(' ', texts(r.category), r.topic->>'$.text', texts(r.reasonCode))) as words,
        concat_ws(' | ', r.status, parts(codings(r.statusReason), [r.statusReason->>'$.text'])) as outcome_words""",
    ),
}  # fmt: skip
"""Every resource type that is read, those that others refer to first."""


def _rows(name: str) -> list[dict[str, str]]:
    with (MAPS / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def macros() -> str:
    """The macros, with those of the maps: `system_of(uri)` by fhir_systems.csv, and by fhir_words.csv one for each kind of word, such as
    `coverage_of(words)`: the value of the first pattern that the words have, null for none, or where it has no value. What a row of the value
    `-` finds says nothing: the rows after it do not see it; for one of the value `-~` they see a `~`. A row of the kind `piece` makes no macro:
    `<its value>` in the pattern of another row stands for its own. A row of the kind `slip` lists words: its value is of whoever has one of them with one
    slip of the keys behind its first letter."""
    uris: dict[str, list[str]] = defaultdict(list)
    for row in _rows("fhir_systems"):
        uris[row["name"]].append(literal(row["uri"].lower()))
    cases = " ".join(f"when lower(trim(uri)) in ({', '.join(known)}) then {literal(name)}" for name, known in uris.items())
    made = [f"create macro system_of(uri) as case {cases} end;\n"]
    pieces: dict[str, str] = {}
    known: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in sorted(_rows("fhir_words"), key=lambda row: (row["what"] != "piece", int(row["precedence"]))):
        pattern = re.sub(r"<(\w+)>", lambda piece: f"(?:{pieces[piece[1]]})", row["pattern"])
        if row["what"] == "piece":
            pieces[row["value"]] = pattern
        elif row["what"] == "slip":
            made.append(_slip(pattern.split("|"), row["value"]))
        else:
            known[row["what"]].append((literal(pattern), row["value"]))
    made += [f"create macro {what}_of(said) as {_first_of(rows, 'said')};\n" for what, rows in known.items()]
    return "".join(made) + _MACROS


def _slip(words: list[str], value: str) -> str:
    # Only words that begin as one of them are compared: each comparison is with all of them.
    beginning = rf"\b[{''.join(sorted({word[0] for word in words}))}][a-z]{{4,}}"
    known = f"[{', '.join(literal(word) for word in words)}]"
    return f"""create macro slip_of(said) as case when len(list_filter(regexp_extract_all(said, {literal(beginning)}), lambda w:
    not list_contains({known}, w) and len(list_filter({known}, lambda k: damerau_levenshtein(w, k) = 1)) > 0)) > 0 then {literal(value)} end;
"""


def _first_of(rows: list[tuple[str, str]], said: str) -> str:
    """SQL of the value of the first of the rows (pattern, value) that `said` has. What a row of `-` leaves has a name of its own, so that each is
    applied once."""
    for nth, (pattern, value) in enumerate(rows):
        if value.startswith("-"):
            cases, left = rows[:nth], said + "_"
            mark = literal(f" {value[1:]} " if value[1:] else " ")
            rest = f"list_transform([regexp_replace({said}, {pattern}, {mark}, 'g')], lambda {left}: {_first_of(rows[nth + 1 :], left)})[1]"
            break
    else:
        cases, rest = rows, "null"
    whens = " ".join(
        f"when regexp_matches({said}, {pattern}) then {literal(value) if value else 'null'}" for pattern, value in cases
    )
    return f"case {whens} else {rest} end" if whens else rest
