"""A stand-in for Primero's API version 2: it refuses what Primero refuses."""

import asyncio
import base64
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.documents.schemas import wrong_by

_LOOKUPS = {
    "lookup-gender": ["male", "female"],
    "lookup-risk-level": ["high", "medium", "low"],
    "lookup-protection-concerns": [
        "sexually_exploited",
        "physically_or_mentally_abused",
        "mentally_distressed",
        "other",
        "disabled",
        "serious_health_issue",
        "child_mother",
        "worst_forms_of_child_labor",
    ],
    "lookup-service-response-type": ["care_plan", "action_plan", "service_provision"],
    "lookup-interview-subject": ["individual", "caregiver", "other"],
    "lookup-legitimate-basis": [
        "consent",
        "vital_interests",
        "legal_obligation",
        "beneficiary_interests",
    ],
    "lookup-service-type": [
        "safehouse_service",
        "police_other_service",
        "child_protection_service",
        "psychosocial_service",
        "health_medical_service",
        "education_service",
    ],
}


_TIMES = ["1_hour", "3_hours", "1_day", "3_days"]


def _select(name: str, lookup: str, many: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "type": "select_box",
        "multi_select": many,
        "option_strings_source": f"lookup {lookup}",
    }


_YES_NO = [{"id": "true", "display_text": "Yes"}, {"id": "false", "display_text": "No"}]


_FIELDS: list[dict[str, Any]] = [
    {"name": "registration_date", "type": "date_field"},
    {"name": "name_first", "type": "text_field"},
    {"name": "name_last", "type": "text_field"},
    {"name": "name_other", "type": "text_field"},
    {"name": "date_of_birth", "type": "date_field"},
    {"name": "national_id_no", "type": "text_field"},
    _select("interview_subject", "lookup-interview-subject"),
    {"name": "age", "type": "numeric_field"},
    {"name": "estimated", "type": "tick_box"},
    _select("sex", "lookup-gender"),
    {"name": "address_current", "type": "textarea"},
    {"name": "telephone_current", "type": "text_field"},
    _select("risk_level", "lookup-risk-level"),
    {"name": "urgent_protection_concern", "type": "radio_button", "option_strings_text": _YES_NO},
    _select("protection_concerns", "lookup-protection-concerns", many=True),
    _select("legitimate_basis", "lookup-legitimate-basis", many=True),
    {"name": "consent_for_services", "type": "tick_box"},
    {"name": "disclosure_other_orgs", "type": "tick_box"},
]


_SERVICE: list[dict[str, Any]] = [
    _select("service_response_type", "lookup-service-response-type"),
    _select("service_type", "lookup-service-type"),
    {
        "name": "service_response_timeframe",
        "type": "select_box",
        "option_strings_text": [{"id": one, "display_text": one} for one in _TIMES],
    },
    {"name": "service_response_day_time", "type": "date_field", "date_include_time": True},
    {"name": "service_referral_notes", "type": "textarea"},
]


# Exactly what a referral takes.
_REFERRAL_KEYS = {
    "transitioned_to",
    "transitioned_to_remote",
    "transitioned_to_agency",
    "service",
    "service_record_id",
    "remote",
    "type_of_export",
    "notes",
    "consent_overridden",
    "authorized_role_unique_id",
    "allow_case_creation",
}


def _schema(fields: list[dict[str, Any]]) -> dict[str, Any]:
    """The JSON Schema that Primero builds of a role's forms: nothing else is taken."""
    properties: dict[str, Any] = {}
    for field in fields:
        options = [o["id"] for o in field.get("option_strings_text", [])]
        source = field.get("option_strings_source", "")
        if source:
            options = _LOOKUPS[source.removeprefix("lookup ")]
        match field["type"]:
            case "select_box" if field.get("multi_select"):
                properties[field["name"]] = {"type": "array", "items": {"enum": options}}
            case "select_box":
                properties[field["name"]] = {"enum": [*options, None]}
            case "radio_button":
                properties[field["name"]] = {"enum": [*options, True, False, None]}
            case "tick_box":
                properties[field["name"]] = {"type": "boolean"}
            case "numeric_field":
                properties[field["name"]] = {
                    "type": ["integer", "null"],
                    "minimum": -(2**31),
                    "maximum": 2**31 - 1,
                }
            case "date_field":
                time = r"T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"
                end = time if field.get("date_include_time") else ""
                properties[field["name"]] = {
                    "type": ["string", "null"],
                    "pattern": rf"^\d{{4}}-\d\d-\d\d{end}$",
                }
            case _:
                properties[field["name"]] = {"type": ["string", "null"]}
    return properties


class PrimeroStandIn:
    """One installation with one account."""

    def __init__(self, user: str = "line", password: str = "secret") -> None:
        self._right = (user, password)
        self.cases: dict[str, dict[str, Any]] = {}
        self.referrals: dict[str, list[dict[str, Any]]] = {}
        self.asked: list[str] = []
        # How many requests it answers with 503, as while its forms are being changed.
        self.busy = 0
        # How many requests it carries out and answers with 502.
        self.lost = 0
        # Stands still before a case is made, or is referred, until it is set.
        self.pause: asyncio.Event | None = None
        self.pauses_at = "case"
        self.paused = False
        self.fields = list(_FIELDS)
        app = Starlette(
            routes=[
                Route("/api/v2/forms", self._guarded(self._forms)),
                Route("/api/v2/lookups", self._guarded(self._lookups)),
                Route("/api/v2/cases", self._guarded(self._make), methods=["POST"]),
                Route("/api/v2/cases/{id}", self._guarded(self._update), methods=["PATCH"]),
                Route("/api/v2/cases/{id}/referrals", self._guarded(self._list)),
                Route("/api/v2/cases/{id}/referrals", self._guarded(self._refer), methods=["POST"]),
                Route(
                    "/api/v2/cases/{id}/referrals/{rid}",
                    self._guarded(self._revoke),
                    methods=["DELETE"],
                ),
            ]
        )
        self.app = app

    def change_password(self, password: str) -> None:
        self._right = (self._right[0], password)

    def _guarded(self, handler: Any) -> Any:
        async def endpoint(request: Request) -> Response:
            self.asked.append(f"{request.method} {request.url.path}")
            given = request.headers.get("authorization", "").removeprefix("Basic ")
            user, _, password = base64.b64decode(given).decode().partition(":")
            if (user, password) != self._right:
                return _error(401, "", "unauthorized")
            if self.busy > 0:
                self.busy -= 1
                return Response(status_code=503, headers={"retry-after": "2"})
            answer: Response = await handler(request)
            if self.lost > 0 and request.method == "POST":
                self.lost -= 1
                return Response(status_code=502)
            return answer

        return endpoint

    async def _forms(self, request: Request) -> Response:
        subform = {"name": "services_section", "type": "subform", "subform": {"fields": _SERVICE}}
        forms = [
            {"unique_id": "basic_identity", "parent_form": "case", "fields": self.fields},
            {"unique_id": "services", "parent_form": "case", "fields": [subform]},
        ]
        return JSONResponse({"data": forms})

    async def _lookups(self, request: Request) -> Response:
        return JSONResponse(
            {
                "data": [
                    {"unique_id": name, "values": [{"id": v, "display_text": {}} for v in values]}
                    for name, values in _LOOKUPS.items()
                ]
            }
        )

    async def _make(self, request: Request) -> Response:
        data = (await request.json())["data"]
        await self._stand_still("case")
        names = {
            "id": {"type": "string"},
            "module_id": {"const": "primeromodule-cp"},
            "owned_by": {"type": "string"},
        }
        wrong = self._wrong(data, names)
        if wrong:
            return _error(422, wrong[0], "invalid")
        if data["id"] in self.cases:
            return _error(409, "id", "duplicate")
        self.cases[data["id"]] = data
        return Response(status_code=204)

    def _wrong(self, data: dict[str, Any], names: dict[str, Any]) -> list[str]:
        """What the forms of the role do not take, besides the `names` of the case itself."""
        service = {
            "type": "object",
            "additionalProperties": False,
            "required": ["unique_id"],
            "properties": {"unique_id": {"type": "string", "minLength": 36}, **_schema(_SERVICE)},
        }
        schema = {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                **names,
                "services_section": {"type": "array", "items": service},
                **_schema(self.fields),
            },
        }
        return [e.message[:60] for e in wrong_by(schema, data)]

    async def _update(self, request: Request) -> Response:
        """Merge what is sent into a case that is there; its owner and module are not taken."""
        data = (await request.json())["data"]
        case = self.cases.get(request.path_params["id"])
        if case is None:
            return _error(404, "id", "not found")
        wrong = self._wrong(data, {})
        if wrong:
            return _error(422, wrong[0], "invalid")
        for service in data.pop("services_section", []):
            known = {s["unique_id"]: s for s in case["services_section"]}
            known[service["unique_id"]] = {**known.get(service["unique_id"], {}), **service}
            case["services_section"] = list(known.values())
        case |= data
        return JSONResponse({"data": case})

    async def _stand_still(self, at: str) -> None:
        if self.pause is not None and self.pauses_at == at:
            self.paused = True
            await self.pause.wait()

    async def _list(self, request: Request) -> Response:
        return JSONResponse({"data": self.referrals.get(request.path_params["id"], [])})

    async def _refer(self, request: Request) -> Response:
        await self._stand_still("referral")
        case_id = request.path_params["id"]
        data = (await request.json())["data"]
        if case_id not in self.cases:
            return _error(404, "id", "not_found")
        if set(data) - _REFERRAL_KEYS:
            return _error(422, ",".join(set(data) - _REFERRAL_KEYS), "invalid")
        case = self.cases[case_id]
        # In the module for child protection both are needed.
        consent = case.get("disclosure_other_orgs") and case.get("consent_for_services")
        if not consent and not data.get("consent_overridden"):
            return _error(422, "consent", "transition.errors.consent")
        if not data.get("remote") and data.get("transitioned_to") != "shelter_worker":
            return _error(422, "transitioned_to", "transition.errors.to_user_can_receive")
        made = {"id": str(uuid4()), "type": "Referral", "status": "in_progress", **data}
        self.referrals.setdefault(case_id, []).append(made)
        return JSONResponse({"data": made})

    async def _revoke(self, request: Request) -> Response:
        for one in self.referrals.get(request.path_params["id"], []):
            if one["id"] == request.path_params["rid"]:
                one["status"] = "revoked"
        return JSONResponse({"data": {}})

    @property
    def only(self) -> dict[str, Any]:
        (rows,) = self.referrals.values()
        (row,) = rows
        return row


def _error(status: int, detail: str, message: str) -> Response:
    body = {"errors": [{"status": status, "detail": detail, "message": message}]}
    return JSONResponse(body, status_code=status)
