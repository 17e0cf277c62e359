"""What went out, what the payers said to it, and what changed since."""

from __future__ import annotations

import altair as alt
import streamlit as st

from orchestration.dashboard import look, queries
from orchestration.dashboard.marts import View

STATUSES = {
    "paid": look.GREEN,
    "accepted": look.SKY,
    "submitted": look.BLUE,
    "reopened": look.PURPLE,
    "rejected": look.ORANGE,
    "denied": look.VERMILLION,
}


def show(view: View) -> None:
    st.title("Claims and denials")
    st.caption(view.practice or "all practices")
    rows = view.frame(queries.CLAIMS)
    if rows.empty:
        st.info("No claim went out yet: `ccm close --month YYYY-MM --approved-by NAME` closes a month.")
        _answers(view)
        return
    look.tiles(
        {
            "Claims": (look.whole(rows["claims"].sum()), "One per patient-month."),
            "Charged": (
                look.money(rows["billed_amount"].sum()),
                "At the practice's own charges; the other pages count what Medicare allows.",
            ),
            "Paid": (look.money(rows["paid_amount"].sum()), "By the payer so far."),
            "Denied or rejected": (
                look.whole(rows["to_be_worked"].sum()),
                "To be worked; those that were paid but for a line that was denied among them.",
            ),
        }
    )
    rows["label"] = rows["month"].dt.strftime("%Y-%m")
    rows["place"] = rows["status"].map(list(STATUSES).index)
    seen = [status for status in STATUSES if status in set(rows["status"])]
    look.chart(
        alt.Chart(rows)
        .mark_bar(stroke="white", strokeWidth=1)
        .encode(
            x=alt.X("label:N", title="Month", axis=alt.Axis(labelAngle=0)),
            y=alt.Y("claims:Q", title="Claims", axis=alt.Axis(format=",.0f", tickMinStep=1)),
            color=alt.Color(
                "status:N",
                sort=seen,
                title=None,
                legend=alt.Legend(orient="top", columns=3),
                scale=alt.Scale(domain=seen, range=[STATUSES[s] for s in seen]),
            ),
            order=alt.Order("place:Q"),
            tooltip=[
                "label:N",
                "status:N",
                alt.Tooltip("claims:Q", format=","),
                alt.Tooltip("billed_amount:Q", format="$,.2f", title="charged"),
            ],
        ),
        height=280,
    )
    look.table(
        rows.sort_values(["month", "place"], ascending=[False, True]),
        {
            "month": ("Month", look.month),
            "status": ("Status", look.text),
            "claims": ("Claims", look.whole),
            "billed_amount": ("Charged", look.money),
            "paid_amount": ("Paid", look.money),
        },
    )
    st.subheader("Denied and rejected")
    denials = view.frame(queries.DENIALS)
    if not denials.empty:
        look.table(
            denials,
            {
                "denial_code": ("Code", look.text),
                "likely_cause": ("Likely cause", look.sentence),
                "fix": ("What helps", look.sentence),
                "claims": ("Claims", look.whole),
                "amount": ("Denied", look.money),
            },
        )
    look.table(
        view.frame(queries.DENIED),
        {
            "practice_id": ("Practice", look.name),
            "month": ("Month", look.month),
            "patient_id": ("Patient", look.name),
            "claim_id": ("Claim", look.name),
            "status": ("Status", look.text),
            "codes": ("Codes", look.text),
            "billed_amount": ("Charged", look.money),
            "paid_amount": ("Paid", look.money),
        },
        empty="No claim is denied or rejected.",
    )
    st.subheader("Changes after the close")
    st.caption(
        "Claims that went out and would be others by what is known now. refund: pay the difference back by the day it is due; "
        "reopen: ask the payer to reopen the claim by then."
    )
    look.table(
        view.frame(queries.CHANGES),
        {
            "kind": ("Kind", look.text),
            "due_on": ("Due", look.day),
            "practice_id": ("Practice", look.name),
            "month": ("Month", look.month),
            "patient_id": ("Patient", look.name),
            "claim_id": ("Claim", look.name),
            "claimed_amount": ("As claimed", look.money),
            "amount_now": ("By what is known now", look.money),
            "claimed_service_date": ("Date claimed", look.day),
            "service_date_now": ("Date now", look.day),
            "found_on": ("Found", look.day),
        },
        empty="No claim would be another by what is known now.",
    )
    _payers(view)
    _answers(view)


def _payers(view: View) -> None:
    if not view.marts.has(queries.PAYMENTS):
        return
    st.subheader("Paid against expected")
    st.caption("Expected is before the patient's deductible; the difference leaves out what went to it.")
    look.table(
        view.frame(queries.PAYMENTS),
        {
            "month": ("Month", look.month),
            "procedure_code": ("Code", look.text),
            "units": ("Units", look.whole),
            "expected_payment": ("Expected", look.money),
            "paid_amount": ("Paid", look.money),
            "patient_amount": ("Left to the patient", look.money),
            "denied_amount": ("Denied", look.money),
            "difference_amount": ("Difference", look.money),
        },
        empty="No payer has answered yet: put its files into inbox/ and run `ccm respond`.",
    )
    underpaid = view.frame(queries.UNDERPAID)
    if not underpaid.empty:
        st.subheader("Paid too little")
        look.table(
            underpaid,
            {
                "practice_id": ("Practice", look.name),
                "month": ("Month", look.month),
                "patient_id": ("Patient", look.name),
                "claim_id": ("Claim", look.name),
                "line_id": ("Line", look.text),
                "procedure_code": ("Code", look.text),
                "expected_payment": ("Expected", look.money),
                "paid_amount": ("Paid", look.money),
                "difference_amount": ("Difference", look.money),
            },
        )
    if view.marts.has(queries.AGING):
        st.subheader("Waiting for the payer")
        look.table(
            view.frame(queries.AGING),
            {
                "bucket": ("Age", look.words),
                "days_from": ("Days, least", look.whole),
                "days_to": ("Days, most", look.whole),
                "claims": ("Claims", look.whole),
                "expected_payment": ("Expected", look.money),
            },
            empty="No claim waits.",
        )


def _answers(view: View) -> None:
    """What came in, whether it is of a claim of ours or not."""
    if view.marts.has(queries.NOT_POSTED):
        st.subheader("Answers that were not posted")
        look.table(
            view.frame(queries.NOT_POSTED),
            {
                "outcome": ("Outcome", look.text),
                "kinds": ("Kind", look.text),
                "practice_id": ("Practice", look.name),
                "reason": ("Why", look.sentence),
                "held_amount": ("Held", look.money),
                "sha256": ("SHA-256 of the file", look.item),
            },
            empty="Every file could be read, and no payment waits.",
        )
    if view.marts.has(queries.REMITTANCES):
        st.subheader("Payments of the payers")
        look.table(
            view.frame(queries.REMITTANCES),
            {
                "status": ("Status", look.text),
                "payment_on": ("Paid on", look.day),
                "payer": ("Payer", look.text),
                "check_number": ("Check", look.text),
                "practice_id": ("Practice", look.name),
                "total_amount": ("Total", look.money),
                "posted_amount": ("Posted", look.money),
                "unmatched_amount": ("Not ours", look.money),
                "provider_adjustment_amount": ("Adjustments", look.money),
                "held_amount": ("Held", look.money),
            },
            empty="No payment has come in yet.",
        )
