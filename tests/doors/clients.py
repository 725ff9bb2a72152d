"""Sends a little with one real client: clients.py <client> <port> [more]; nothing in here knows Spyhop."""

import logging
import socket
import sys
import time


def loki(port):
    import logging_loki

    handler = logging_loki.LokiHandler(
        url=f"http://127.0.0.1:{port}/loki/api/v1/push", tags={"application": "python-loki"}, version="1"
    )
    handler.handleError = lambda record: sys.exit(f"not taken: {sys.exc_info()[1]}")
    logger = logging.getLogger("shop.cart")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    logger.info("a cart was opened", extra={"tags": {"region": "eu"}})
    logger.error("a cart was lost")


def elasticsearch(port, *credentials):
    from elasticsearch import Elasticsearch, helpers

    client = Elasticsearch(f"http://127.0.0.1:{port}/elasticsearch", api_key=credentials[0] if credentials else None)
    assert client.info()["version"]["number"].startswith("8."), "the handshake"
    assert client.ping()
    client.indices.put_index_template(name="shop", index_patterns=["shop-*"])
    client.ilm.put_lifecycle(name="shop", policy={"phases": {}})
    documents = [
        {
            "_op_type": "create",
            "_index": "shop-logs",
            "_source": {
                "@timestamp": int(time.time() * 1000),
                "message": f"order {number} was placed",
                "log": {"level": "info", "logger": "shop.orders"},
                "service": {"name": "python-elastic"},
                "trace": {"id": "4bf92f3577b34da6a3ce929d0e0e4736"},
                "order": {"number": number},
            },
        }
        for number in range(1000)
    ]
    stored, errors = helpers.bulk(client, documents, chunk_size=300)
    assert (stored, errors) == (1000, []), (stored, errors)
    mixed = [
        {"_op_type": "index", "_index": "shop-logs", "_source": {"message": "beside a bad one", "service.name": "python-elastic"}},
        {"_op_type": "delete", "_index": "shop-logs", "_id": "1"},
    ]
    stored, errors = helpers.bulk(client, mixed, raise_on_error=False)
    assert stored == 1 and errors[0]["delete"]["status"] == 400, (stored, errors)


def zipkin(port):
    import requests
    from py_zipkin import Encoding, Kind
    from py_zipkin.transport import BaseTransportHandler
    from py_zipkin.zipkin import zipkin_span

    class Transport(BaseTransportHandler):
        def get_max_payload_bytes(self):
            return None

        def send(self, payload):
            headers = {"Content-Type": "application/json"}
            answer = requests.post(f"http://127.0.0.1:{port}/api/v2/spans", data=payload, headers=headers, timeout=10)
            assert answer.status_code == 202, answer.text

    with zipkin_span(
        service_name="python-zipkin",
        span_name="checkout",
        transport_handler=Transport(),
        sample_rate=100.0,
        encoding=Encoding.V2_JSON,
        kind=Kind.SERVER,
        use_128bit_trace_id=True,
        port=8080,
    ) as span:
        span.update_binary_annotations({"http.method": "POST", "error": "card refused"})
        with zipkin_span(service_name="python-zipkin", span_name="charge") as inner:
            inner.add_annotation("card asked")
        print(span.zipkin_attrs.trace_id)


def remote_write(port):
    from prometheus_remote_writer import RemoteWriter

    now = int(time.time() * 1000)
    labels = {"job": "shop/python-prometheus", "instance": "a:9090", "method": "GET"}
    writer = RemoteWriter(url=f"http://127.0.0.1:{port}/api/v1/write")
    result = writer.send(
        [
            {"metric": {"__name__": "orders_total", **labels}, "values": [1, 2, 5], "timestamps": [now - 2000, now - 1000, now]},
            {"metric": {"__name__": "carts_open", **labels}, "values": [3.5], "timestamps": [now]},
        ]
    )
    assert result.last_response.status_code == 204, result.last_response.text


def syslog(port, transport, framing="newline"):
    from rfc5424logging import Rfc5424SysLogHandler

    handler = Rfc5424SysLogHandler(
        address=("127.0.0.1", int(port)),
        socktype=socket.SOCK_STREAM if transport == "tcp" else socket.SOCK_DGRAM,
        framing=2 if framing == "octets" else 1,
        appname=f"python-{transport}-{framing}",
        hostname="shop-1",
        structured_data={"shop@32473": {"region": "eu"}},
    )
    logger = logging.getLogger("shop")
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    # The same twice: nobody may take the second for a resend.
    for message in ["the shop is open", "the shop is open"]:
        logger.warning(message, extra={"msgid": "SHOP"})
    handler.close()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])
