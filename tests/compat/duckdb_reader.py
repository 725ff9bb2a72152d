"""Reads Spyhop's Parquet files with DuckDB, as the README shows, and prints one JSON object.

Usage: duckdb_reader.py <data folder>
"""

import json
import sys

import duckdb

folder = sys.argv[1]
spans = f"read_parquet('{folder}/files/*/spans/**/*.parquet', union_by_name=true, hive_partitioning=true)"
logs = f"read_parquet('{folder}/files/*/logs/**/*.parquet', union_by_name=true, hive_partitioning=true)"


def rows(query):
    for attempt in range(10):
        try:
            return duckdb.sql(query).fetchall()
        except duckdb.IOException as error:
            # No file yet: everything is still in the journal.
            if "No files found" in str(error):
                return [(0, 0)]
            # A file that was merged into another between glob and open: ask again, as the README says.
            if "No such file" not in str(error) or attempt == 9:
                raise


def counts():
    span_count, span_numbers = rows(f"SELECT count(*), count(DISTINCT thread_id) FROM {spans}")[0]
    log_count, log_numbers = rows(f"SELECT count(*), count(DISTINCT thread_id) FROM {logs}")[0]
    joined = 0
    if span_count and log_count:
        joined = rows(
            f"SELECT count(*) FROM {logs} l JOIN {spans} s ON l.trace_id = s.trace_id AND l.span_id = s.span_id"
        )[0][0]
    return {
        "spans": span_count,
        "span_numbers": span_numbers,
        "logs": log_count,
        "log_numbers": log_numbers,
        "joined": joined,
    }


print(json.dumps(counts()))
