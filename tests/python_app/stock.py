"""The service that knows what is in stock: SQLAlchemy on SQLite.

Usage: stock.py <own port>
"""

import logging
import sys

from flask import Flask
from opentelemetry import metrics
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
from sqlalchemy import create_engine, text
from sqlalchemy.pool import StaticPool

from telemetry import set_up

send_rest = set_up("stock")
app = Flask(__name__)
FlaskInstrumentor().instrument_app(app, excluded_urls="flush")

log = logging.getLogger("stock.shelves")
lookups = metrics.get_meter("stock").create_histogram("stock.lookup.items", unit="{item}", description="Items found")

engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
with engine.begin() as connection:
    connection.execute(text("create table shelf (item text primary key, count integer)"))
    connection.execute(text("insert into shelf values ('teapot', 12), ('lamp', 0), ('kettle', 5)"))
SQLAlchemyInstrumentor().instrument(engine=engine)


@app.get("/stock/<item>")
def stock(item):
    with engine.connect() as connection:
        row = connection.execute(text("select count from shelf where item = :item"), {"item": item}).first()
    count = row[0] if row else 0
    lookups.record(count, {"item": item})
    if count == 0:
        log.warning("no %s on the shelf", item)
        return {"item": item, "count": 0}, 404
    log.info("%d of %s on the shelf", count, item)
    return {"item": item, "count": count}


@app.post("/flush")
def flush():
    send_rest()
    return {}


app.run(host="127.0.0.1", port=int(sys.argv[1]), threaded=True)
