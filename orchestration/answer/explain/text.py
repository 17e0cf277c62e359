"""The story for the terminal: what was decided, gate by gate, minute by minute, dollar by dollar."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from orchestration.money import price

HEADING = "bold"


def clock(seconds: int) -> str:
    """'1:05:09', or '25:00' below an hour."""
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def lines(story: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(style, line) pairs."""
    gate = next(g for g in story["gates"] if g["decides"])
    yield (
        HEADING,
        f"{story['practice_id']}, patient {story['patient_id']}, {story['month']}: {story['decision']} ({story['reason']})",
    )
    kept = story["kept_back"]
    if kept:
        yield "red", f"The rules let it through [{gate['citation']}]; the close kept it back: {kept['reason']}, {kept['detail']}"
        yield "", f"  {price(kept['dollars_at_stake'])} at stake. Mend it; the next close judges it anew."
    else:
        yield "", f"{gate['meaning']} [{gate['citation']}]. {gate['remedy']}".rstrip()
    if story["decided_now"]:
        style = "" if story["decided_now"]["decision"] == "claimable" else "red"
        yield style, f"turned back unprocessed since: {anew(story)}"
    worth = f"{price(story['allowed_amount'])} allowed" + (f" on track {story['track']}" if story["track"] else "")
    yield (
        "",
        f"{worth}; program {story['program']}; facts as of {story['facts_as_of']}; read from {story['source']}; {story['rules_version']}",
    )
    yield from _claim(story)
    for hold in story["holds"]:
        what = f"{hold['table_name']} of {hold['extract_date']}" + (f" line {hold['line_number']}" if hold["line_number"] else "")
        if hold["accepted_by"]:
            yield "", f"  accepted by {hold['accepted_by']} ({hold['accepted_why']}): {what}: {hold['explanation']}"
        else:
            whose = "this claim" if hold["kind"] == "quarantined_row" else "the practice's close"
            yield "red", f"  holds {whose} until mended or accepted: {what}: {hold['explanation']}"
    for flag in story["flags"]:
        yield "yellow", f"  flag {flag['flag']}: {flag['meaning']} [{flag['citation']}]"
        for said in said_of_coverage(flag["answers"]):
            yield "", f"      {said}"
    yield from _gates(story)
    yield from _minutes(story)
    yield from _money(story)


def _claim(story: dict[str, Any]) -> Iterator[tuple[str, str]]:
    claim, close = story["claim"], story["close"]
    if claim:
        status = f", {claim['status']}" if "status" in claim else ""
        yield "", f"claim {claim['claim_id']} in close v{claim['close_version']}{status}"
    if close:
        waiver = f", waiver: {close['waiver']}" if close["waiver"] else ""
        yield "", f"closed as v{close['version']}, approved by {close['approved_by']} at {close['approved_at']}{waiver}"
        if close["held"]:
            yield "", f"held then: {close['held']['reason']}, {close['held']['detail']}"
    for answer in story["answers"]:
        yield from _answer(answer)
    if story["answers_since"] is None:
        yield "yellow", "answers since: not known, no marts can be read"
    elif story["answers_since"]:
        yield HEADING, "answers since, by the marts as they are published now"
        for answer in story["answers_since"]:
            yield from _answer(answer)
    if story["changed_since"]:
        yield "red", f"changed since: {changed(story['changed_since'])}"


def anew(story: dict[str, Any]) -> str:
    """Whether a claim that was turned back goes out again, by `decided_now`: 'not_claimable (no_consent) now, so that no other claim goes out: No
    consent is dated in or before the month [R-ELIG-4]. Ask the patient and document the answer'. Of the live marts the story has the reason already."""
    now = story["decided_now"]
    decided = f"{now['decision']} ({now['reason']}) now"
    why = f": {now['meaning'] or ''} [{now['citation']}]. {now['remedy'] or ''}".rstrip(" .") if story["close"] else ""
    kept = now["kept_back"]
    if kept:
        return f"{decided}, but the close kept another claim back: {kept['reason']}, {kept['detail']}"
    if now["decision"] == "claimable":
        return f"{decided}, so that the next close sends it as a new claim"
    return f"{decided}, so that {'another claim waits' if now['decision'] == 'held' else 'no other claim goes out'}{why}"


def changed(change: dict[str, Any]) -> str:
    """'99490 x 1 claimed, nothing may be (no_consent); refund of $66.13, found on 2026-11-05, due by 2027-01-04'."""
    is_moved = change["service_date_now"] not in (None, change["claimed_service_date"])
    claimed, now = (", ".join(change[name]) or "nothing" for name in ("claimed_codes", "codes_now"))
    if is_moved:
        claimed, now = f"{claimed} on {change['claimed_service_date']}", f"{now} on {change['service_date_now']}"
    difference = change["amount_now"] - change["claimed_amount"]
    owed = f"{change['kind']}{' of ' + price(abs(difference)) if difference else ''}"
    because = f" ({', '.join(change['reasons'])})" if change["reasons"] else ""
    return f"{claimed} claimed, {now} may be{because}; {owed}, found on {change['found_on']}, due by {change['due_on']}"


def _answer(answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What the payer said of a claim."""
    style = {"paid": "green", "denied": "red", "rejected": "red"}.get(answer["status"], "")
    yield style, f"  payer: {said_of(answer)}"
    for cause in answer["causes"]:
        appeal = " There is a right of appeal." if cause["is_appealable"] else ""
        yield "", f"      {cause['denial_code']}: {cause['likely_cause']}; what helps: {cause['fix']}.{appeal}"


def said_of(answer: dict[str, Any]) -> str:
    """'claim X of close v1 rejected on 2026-10-05, A7:164; $0.00 paid of $170.00'."""
    codes = [*answer["rejection_codes"], *answer["denial_codes"]]
    remarks = f" (remark codes {', '.join(answer['remark_codes'])})" if answer["remark_codes"] else ""
    claim = f"claim {answer['claim_id']} of close v{answer['close_version']} {answer['status']} on "
    if answer["status"] == "submitted":  # nothing decides it yet
        claim += f"{answer['submitted_on']}" + (f", answered on {answer['answered_on']}" if answer["answered_on"] else "")
    else:
        claim += f"{answer['answered_on']}"
    said = ", ".join([claim, *codes]) + remarks
    nothing = "; turned back unprocessed, it claims nothing" if answer["status"] == "rejected" else ""
    own, deductible = answer.get("patient_amount"), answer.get("deductible_amount")
    left = f"; {price(own)} left to the patient or their next payer" if own else ""
    left += f", {price(deductible)} of it the deductible" if left and deductible else ""
    return f"{said}; {price(answer['paid_amount'])} paid of {price(answer['billed_amount'])}{left}{nothing}"


def _gates(story: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield HEADING, "\nGates, in the order in which the first decides"
    for gate in story["gates"]:
        if gate["reason"] == "ok":
            continue
        mark = "STOPS" if gate["decides"] else "applies" if gate["applies"] else "passed"
        style = "red" if gate["decides"] else "yellow" if gate["applies"] else "green"
        yield style, f"  {mark:8}{gate['reason']:28}[{gate['citation']}]" + (f"  {gate['meaning']}" if gate["applies"] else "")
        for said in said_of_coverage(gate["answers"]):
            yield "", f"            {said}"
        for one in gate["evidence"]:
            if "gone" in one:
                yield "", f"            {_left(one)}"
    for table, facts in _shown_facts(story).items():
        yield HEADING, f"\n{table}"
        for fact in facts:
            yield "", "  " + fact
    if story["days"]:
        yield HEADING, f"\nDays of {story['month']}"
        for said, days in story["days"].items():
            yield "", f"  {said}: {days}"
        for said in said_of_coverage(story["coverage_answers"]):
            yield "", f"  {said}"


def _left(practitioner: dict[str, Any]) -> str:
    """'DR1 was in the care team of 2026-11-30 [its file] for the last time, and not in that of 2026-12-01 [its file]'."""
    last, gone = (
        f"{one['night']}" + (f" [{one['file']}]" if one["file"] else "")
        for one in (practitioner["last_seen"], practitioner["gone"])
    )
    return f"{practitioner['billing_practitioner_id']} was in the care team of {last} for the last time, and not in that of {gone}"


def said_of_coverage(answers: list[dict[str, Any]]) -> list[str]:
    """Each thing that the payers' answers say, once."""
    return list(dict.fromkeys(_coverage(row) for row in answers))


def _coverage(row: dict[str, Any]) -> str:
    """What a payer's answer about coverage says, and which."""
    what = f"{'' if row['is_covered'] else 'no '}{row['meaning'].replace('_', ' ')}"
    span = f"{row['starts_on'] or '...'}" + ("" if row["meaning"] == "deceased" else f" to {row['ends_on'] or '...'}")
    return f"the payer says {what} {span}  [271 of {row['answered_on']}, sha256 {row['file_sha256'][:12]}]"


def _shown_facts(story: dict[str, Any]) -> dict[str, list[str]]:
    shown: dict[str, list[str]] = {}
    seen: set[tuple[str, str]] = set()
    for gate in story["gates"]:
        for fact in gate["evidence"]:
            # The gate that asks first says what a fact is short of.
            if "landed" not in fact or (fact["table"], fact["fact_id"]) in seen:
                continue
            seen.add((fact["table"], fact["fact_id"]))
            landed = fact["landed"]
            span = f"{fact['from'] or '...'} to {fact['to'] or '...'}"
            affirmed = {True: ", yes", False: ", no", None: ""}[fact["affirmed"]]
            groups = f" ({', '.join(fact['condition_groups'])})" if fact["condition_groups"] else ""
            text = (
                f"{fact['kind'] or ''}{groups} {span}{affirmed}{'  <- decisive' if fact['is_decisive'] else ''}"
                f"{'  <- will not do: ' + '; '.join(fact['short_of']) if fact['short_of'] else ''}"
                f"  [{fact['fact_id']}; {_where(landed)}]"
            ).strip()
            shown.setdefault(fact["table"], []).append(text)
    return shown


def _where(landed: dict[str, Any]) -> str:
    return f"{landed['file']} line {landed['line']}, sha256 {(landed['sha256'] or 'none')[:12]}"


def _minutes(story: dict[str, Any]) -> Iterator[tuple[str, str]]:
    minutes = story["minutes"]
    yield HEADING, "\nMinutes"
    yield (
        "",
        (
            f"  logged {clock(minutes['logged_seconds'])}, credited {clock(minutes['credited_seconds'])} = {minutes['credited_minutes']} minutes "
            f"(staff {clock(minutes['staff_seconds'])}, practitioner {clock(minutes['practitioner_seconds'])})"
        ),
    )
    for entry in story["entries"]:
        landed = entry["landed"]
        note = (
            f"note {entry['note_id']}"
            if entry["note_id"]
            else f"note of {entry['note_length']} characters"
            if entry["note_length"]
            else "no note"
        )
        amended = f", amended {entry['versions'] - 1}x" if entry["versions"] > 1 else ""
        yield (
            "",
            (
                f"  {entry['start'] or entry['local_day']}  {entry['member_id']} {entry['credential'] or '?'}  {entry['activity']}  "
                f"{entry['program']}, {entry['entry_method']}, {note}{amended}  [{entry['entry_id']}; {_where(landed)}]"
            ),
        )
        for part in entry["seconds"]:
            style = "green" if part["disposition"] == "credited" else "yellow"
            said = f"{part['disposition']}: {part['meaning']} [{part['citation']}]{of_track(story['track'], part)}"
            yield style, f"      {clock(part['seconds']):>8}  {said}"
    for item in story["undocumented"]:
        yield (
            "yellow",
            f"  to mend by {item['due_on']}: {item['kind']} {item['subject']}, {item['minutes']} minutes, {price(item['dollars_at_stake'])} at stake",
        )
    for item in story["unresolved"]:
        yield (
            "yellow",
            f"  to resolve by {item['last_day']}: {item['item_id']}, {price(item['dollars_at_stake'])} at most: {item['detail']}",
        )
    if story["next_unit"]:
        missing = story["next_unit"]
        yield "", f"  next unit: {missing['minutes_missing']} minutes missing; {missing['undocumented_minutes']} lie undocumented"


def of_track(track: str | None, part: dict[str, Any]) -> str:
    """'  <- track ccm counts them' of an entry's seconds; nothing where no track could."""
    if track is None or not (part["is_counted"] or part["disposition"] == "credited"):
        return ""
    return f"  <- track {track} {'counts them' if part['is_counted'] else 'does not count them'}"


def _money(story: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield HEADING, f"\nCodes that the minutes reach (policy {story['track_policy']})"
    if not story["candidates"]:
        yield "", "  none"
    for track in story["candidates"]:
        chosen = "chosen" if track["is_chosen"] else f"place {track['place']}"
        yield (
            ("green" if track["is_chosen"] else ""),
            (
                f"  {track['track']}: {track['minutes']} minutes, service date {track['service_date']}, {price(track['allowed_amount'])} "
                f"(national {price(track['national_amount'])}), {chosen}: {track['why']} [{track['citation']}]"
            ),
        )
        for code in track["codes"]:
            capped = f" (cap {code['cap']})" if code["is_capped"] else ""
            yield (
                "",
                f"      {code['code']} x {code['units']}{capped} = {price(code['allowed_amount'])}   {code['arithmetic']}   [{code['citation']}]",
            )
