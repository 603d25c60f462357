"""Traces of a running site, as a collector of OpenTelemetry gets them."""

import json
from collections import Counter

import pytest
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.collector import Collector
from tests.site import Site, eventually

STAGES = ["fetch", "read", "save"]


class Traces(Collector):
    """Spans by the ids of their traces, each with the name of the process that it comes from."""

    def spans(self, trace: str = "") -> list[tuple[str, Span]]:
        found = []
        for path, body in list(self.bodies):
            assert path == "/v1/traces"
            for of_process in ExportTraceServiceRequest.FromString(body).resource_spans:
                attributes = {one.key: one.value for one in of_process.resource.attributes}
                process = attributes["service.name"].string_value
                found += [(process, span) for of in of_process.scope_spans for span in of.spans]
        return [one for one in found if one[1].trace_id.hex() == trace or not trace]

    def names(self, trace: str) -> set[str]:
        return {span.name for _, span in self.spans(trace)}


@pytest.fixture(scope="module")
def traces():
    with Traces() as collector:
        yield collector


@pytest.fixture(scope="module")
def watched(traces, tmp_path_factory):
    settings = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{traces.port}",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "LOG_FORMAT": "json",
    }
    with Site(tmp_path_factory.mktemp("watched"), **settings) as running:
        yield running


def tree(spans: list[tuple[str, Span]], parent: bytes = b"") -> dict:
    """Return the spans below a span as names and what is below these."""
    children = [span for _, span in spans if span.parent_span_id == parent]
    children.sort(key=lambda span: span.start_time_unix_nano)
    return {span.name: tree(spans, span.span_id) for span in children}


def send(site: Site, digit: bytes, trace: str, **headers: str) -> None:
    answer = requests.post(
        f"{site.url}/mnist/classify",
        files={"file": ("7.png", digit)},
        headers={"traceparent": f"00-{trace}-{'5' * 16}-01", **headers},
        timeout=60,
    )
    assert answer.text == "Predicted number for input image: 7\n"


def test_an_upload_is_one_tree_from_the_request_to_what_is_saved(watched, traces, seven):
    send(watched, seven, first := "a" * 32)
    send(watched, seven, second := "b" * 32)  # which Django is not asked about
    for trace in (first, second):
        # The web server sends what it has by itself, before the worker or after.
        ends = {"save", "INSERT", "POST /mnist/classify/"}
        eventually(lambda trace=trace, ends=ends: ends <= traces.names(trace))
        spans = traces.spans(trace)
        (root,) = [span for _, span in spans if span.parent_span_id.hex() == "5" * 16]
        assert root.name == "POST /mnist/classify/"
        found = tree(spans, root.span_id)
        assert {"queue", "classify", "INSERT"} <= set(found)
        assert list(found["classify"]) == STAGES
        assert all(span.status.code != Status.STATUS_CODE_ERROR for _, span in spans)
        assert set(found["classify"]["read"]) >= {"network"}
        by_process = {
            (process, span.name) for process, span in spans if span.parent_span_id == root.span_id
        }
        assert {("digits-web", "INSERT"), ("digits-worker", "queue")} <= by_process
        assert ("digits-worker", "classify") in by_process


def test_spans_lie_within_the_one_above_them_and_follow_each_other(watched, traces, seven):
    send(watched, seven, trace := "c" * 32)
    eventually(lambda: any(span.name == "save" for _, span in traces.spans(trace)))
    spans = {span.span_id: span for _, span in traces.spans(trace)}
    named = {span.name: span for span in spans.values()}
    for span in spans.values():
        assert span.start_time_unix_nano <= span.end_time_unix_nano
    for inner, outer in (("network", "read"), ("read", "classify"), ("save", "classify")):
        assert named[inner].parent_span_id == named[outer].span_id
        assert named[outer].start_time_unix_nano <= named[inner].start_time_unix_nano
        assert named[inner].end_time_unix_nano <= named[outer].end_time_unix_nano
    ends = [named[name].end_time_unix_nano for name in ("queue", *STAGES)]
    assert ends == sorted(ends)


def test_a_statement_is_told_without_its_values(watched, traces):
    visitor = watched.visitor()
    visitor.get("/history/?q=31415926")
    eventually(lambda: any(span.name == "GET /history/" for _, span in traces.spans()))
    asked = [
        one.value.string_value
        for _, span in traces.spans()
        for one in span.attributes
        if one.key == "db.query.text"
    ]
    assert any(text.startswith("SELECT") for text in asked)
    assert not any("31415926" in text for text in asked)


def test_what_cannot_be_read_is_an_error_of_its_trace(watched, traces, seven):
    watched.query(
        "from digits.models import Upload;"
        f" Upload.objects.create(name='x.png', trace='00-{'d' * 32}-{'6' * 16}-01',"
        " file='uploads/none/gone.png')"
    )
    watched.visitor().send(seven)
    eventually(
        lambda: (
            "The uploaded file is gone"
            in watched.query(
                "from digits.models import Upload; print(Upload.objects.get(name='x.png').error)"
            )
        )
    )
    eventually(
        lambda: any(s.status.code == Status.STATUS_CODE_ERROR for _, s in traces.spans("d" * 32))
    )


def test_messages_of_the_log_name_the_trace(watched):
    requests.post(
        f"{watched.url}/mnist/classify",
        data=b"nothing",
        headers={"traceparent": f"00-{'e' * 32}-{'5' * 16}-01"},
        timeout=60,
    )

    def logged() -> list[dict]:
        lines = [line for line in watched.log().splitlines() if line.startswith("{")]
        return [one for line in lines if (one := json.loads(line)).get("trace") == "e" * 32]

    eventually(logged)
    assert logged()[0]["path"] == "/mnist/classify"


def test_waiting_for_work_is_no_trace(watched, traces):
    names = Counter(span.name for _, span in traces.spans() if not span.parent_span_id)
    assert not {"GET", "SET", "PUBLISH", "HSET", "EXPIRE", "SELECT", "UPDATE"} & set(names)
