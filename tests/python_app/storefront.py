"""The service that customers call: takes orders and asks the stock service whether it can deliver.

Usage: storefront.py <own port> <port of the stock service> [<port of the packing service>]
"""

import logging
import sys
import time

import requests
from flask import Flask, request
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.requests import RequestsInstrumentor

from telemetry import set_up

send_rest = set_up("storefront")
app = Flask(__name__)
FlaskInstrumentor().instrument_app(app, excluded_urls="flush")
RequestsInstrumentor().instrument()

log = logging.getLogger("storefront.orders")
meter = metrics.get_meter("storefront")
orders = meter.create_counter("orders.placed", unit="{order}", description="Orders placed")
duration = meter.create_histogram("order.duration", unit="s", description="Time to place an order")
open_carts = meter.create_up_down_counter("carts.open", unit="{cart}", description="Carts not yet paid for")

STOCK = f"http://127.0.0.1:{sys.argv[2]}"
PACKING = f"http://127.0.0.1:{sys.argv[3]}" if len(sys.argv) > 3 else None


@app.post("/orders")
def place_order():
    began = time.monotonic()
    item = request.json["item"]
    open_carts.add(1)
    log.info("order for %s received", item, extra={"order.item": item})
    answer = requests.get(f"{STOCK}/stock/{item}", timeout=5)
    if answer.status_code != 200:
        log.error("%s cannot be delivered: %s", item, answer.text)
        return {"ordered": False}, 409
    if PACKING:
        requests.post(f"{PACKING}/pack/{item}", timeout=5)
    orders.add(1, {"item": item})
    open_carts.add(-1)
    duration.record(time.monotonic() - began, {"item": item})
    log.info("order for %s placed", item)
    return {"ordered": True, "trace_id": format(trace.get_current_span().get_span_context().trace_id, "032x")}


@app.post("/flush")
def flush():
    send_rest()
    return {}


app.run(host="127.0.0.1", port=int(sys.argv[1]), threaded=True)
