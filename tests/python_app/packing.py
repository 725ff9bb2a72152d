"""The service that packs what was ordered: a twelve-factor app that prints its logs and leaves them to others.

Its spans go over OTLP; its logs are JSON lines on stdout that carry the ids of the span they were written in. There is
no exporter of logs here, and nothing knows Spyhop.

Usage: packing.py <own port>
"""

import json
import logging
import sys
import traceback
from datetime import datetime, timezone

from flask import Flask
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor


class JsonLines(logging.Formatter):
    """One JSON object a line, with the ids of the current span."""

    def format(self, record):
        span = trace.get_current_span().get_span_context()
        line = {
            "timestamp": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "trace_id": format(span.trace_id, "032x"),
            "span_id": format(span.span_id, "016x"),
        }
        line.update(getattr(record, "fields", {}))
        if record.exc_info:
            line["exc_info"] = "".join(traceback.format_exception(*record.exc_info))
        return json.dumps(line)


# The resource comes from OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, as with any app.
tracers = TracerProvider()
tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=200))
trace.set_tracer_provider(tracers)

lines = logging.StreamHandler(sys.stdout)
lines.setFormatter(JsonLines())
logging.getLogger().addHandler(lines)
logging.getLogger().setLevel(logging.INFO)
logging.getLogger("werkzeug").setLevel(logging.ERROR)

app = Flask(__name__)
FlaskInstrumentor().instrument_app(app, excluded_urls="flush")
log = logging.getLogger("packing.bench")

BOXES = {"teapot": {"size": "small", "padding": ["paper", "straw"]}}


@app.post("/pack/<item>")
def pack(item):
    try:
        box = BOXES[item]
    except KeyError:
        log.exception("no box for %s", item)
        return {"packed": False}, 409
    log.info("%s packed", item, extra={"fields": {"order.item": item, "box": box}})
    return {"packed": True}


@app.post("/flush")
def flush():
    tracers.force_flush()
    return {}


log.info("packing service is up")
app.run(host="127.0.0.1", port=int(sys.argv[1]), threaded=True)
