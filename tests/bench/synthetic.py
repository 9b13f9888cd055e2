#!/usr/bin/env python3
"""Results as keel_compare writes them, made up: for the tests, and to look at a report.

Usage: tests/bench/synthetic.py FILE
"""

import json
import math
import random
import sys

STORES = ("keel", "lmdb", "rocksdb", "sqlite", "wiredtiger", "leveldb", "bdb", "btree_map")

# Workload, its parameters, rates a second of the stores in their order; None: not run.
WORKLOADS = [
    ("sorted_load", {"method": "bulk"}, (8.1e6, 5.0e6, 4.7e6, 9e5, 1.6e6, 2.1e6, 6e5, 9e6)),
    ("random_load", {"method": "batches"}, (1.0e6, 7.9e5, 8.7e5, 2e5, 4e5, 1.09e6, 2e5, 1.5e6)),
    ("scan", {"loaded": "random"}, (3.2e7, 2.7e7, 9e6, 7e6, 1e7, 2.2e7, 6e6, 3e7)),
    ("commit_tickets", {"threads": 1, "durability": "unsynced"}, (3.4e5,) + (None,) * 7),
    ("unsynced_put", {"threads": 1, "durability": "unsynced"},
     (7e5, 3.7e5, 4.2e5, 7.4e4, 4.2e5, 6.4e5, 2e5, 1.4e6)),
    ("snapshot_reads", {"threads": 1, "keys": 100},
     (1.9e6, 1.6e6, 7e5, 3e5, 1.0e6, 1.0e6, 5e5, 1.5e6)),
    ("multi_get", {"threads": 1, "keys": 100}, (3.9e6, 1.6e6, 9e5, 3e5, 1e6, 1e6, 5e5, 1.5e6)),
    ("seek_next", {"threads": 1, "rows": 100},
     (3.0e5, 2.4e5, 9e4, 8e4, 1.6e5, 1.6e5, 7e4, 3e5)),
    ("overwrite", {"times": 3}, (5e5, 3e5, 4e5, 7e4, 3e5, 5e5, 1e5, None)),
    ("sustained", {"threads": 8, "durability": "unsynced", "minutes": 30},
     (4e5, 2e5, 3.5e5, 5e4, 3e5, 3e5, 1e5, None)),
    ("large_read", {"threads": 1, "rows": 1000000},
     (19500, 19000, 9000, 8000, 9000, 7000, 6000, None)),
]
for threads, rates in (
    (1, (13000, 4200, 8300, 10000, 11000, 8700, 11000)),
    (8, (52000, 4000, 26000, 9000, 20000, 31000, 40000)),
    (32, (99000, 4000, 50000, 9000, 40000, 62000, 80000)),
    (128, (180000, 4000, 63000, 9000, 50000, 88000, 97000)),
):
    WORKLOADS.append(("durable_put", {"threads": threads, "durability": "synced"}, rates + (None,)))
WORKLOADS.append(
    ("durable_put_checkpoints", {"threads": 8, "durability": "synced"},
     (50000, 3900, 20000, 8000, 15000, None, 30000, None))
)
for threads in (1, 2):
    for distribution, base in (("uniform", 1), ("zipfian", 1.6)):
        rates = (1.9e6, 1.5e6, 6.5e5, 3e5, 9.8e5, 9.5e5, 5e5, 1.5e6)
        WORKLOADS.append(
            ("read", {"threads": threads, "distribution": distribution},
             tuple(rate * base * threads * 0.98 for rate in rates))
        )
    WORKLOADS.append(
        ("ycsb_a", {"threads": 2 * threads, "durability": "unsynced"},
         (8e5, 3e5, 6.6e5, 6e4, 4e5, 5e5, 2e5, 1e6))
    )
# Rates a second do not matter: by how long one takes.
OPENS = [
    ("open_clean", {}, (1.9e6, 1e5, 3.6e7, 2e5, 1.2e8, 1.3e6, 3e6)),
    ("open_after_kill", {"operations_in_log": 100000}, (6e7, 1e5, 1.2e8, 5e7, 1.3e9, 8.4e7, 2e8)),
]
FLOORS = [
    ("floor_write", {"method": "O_DIRECT pwrite + fdatasync", "bytes": 4096}, "disk", 13500),
    ("floor_write", {"method": "buffered pwrite + fdatasync", "bytes": 4096}, "disk", 11200),
    ("floor_read", {"depth": 1, "bytes": 4096}, "disk", 20000),
    ("floor_read", {"depth": 32, "bytes": 4096}, "disk", 79000),
    ("floor_memcpy", {"bytes": 67108864}, "memory", 150),
]


def latencies(draw, mean_ns, samples):
    """(percentiles, histogram) of latencies with a tail."""
    values = sorted(
        int(mean_ns * draw.lognormvariate(-0.1, 0.3) * (8 if draw.random() < 0.002 else 1)) + 1
        for _ in range(samples)
    )
    buckets = {}
    for value in values:
        step = 2 ** max(math.floor(math.log2(value)) - 3, 0)
        upper = (value // step + 1) * step - 1
        buckets[upper] = buckets.get(upper, 0) + 1
    at = lambda share: values[min(int(share * samples), samples - 1)]  # noqa: E731
    percentiles = {
        "p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "p99.9": at(0.999), "max": values[-1]
    }
    return percentiles, [[upper, buckets[upper]] for upper in sorted(buckets)]


def run_of(draw, workload, parameters, store, number, rate, samples):
    seconds = 5 * draw.uniform(1, 1.01)
    rate *= draw.lognormvariate(0, 0.02)
    threads = parameters.get("threads", 1)
    percentiles, histogram = latencies(draw, threads * 1e9 / rate, samples)
    run = {
        "workload": workload,
        "parameters": parameters,
        "store": store,
        "run": number,
        "operations": int(rate * seconds),
        "seconds": seconds,
        "latency_ns": percentiles,
        "histogram": histogram,
        "peak_memory_bytes": draw.randrange(50 << 20, 300 << 20),
    }
    if "put" in workload or "load" in workload or workload == "overwrite":
        run["user_bytes"] = run["operations"] * 116
        run["bytes_written"] = int(run["user_bytes"] * draw.uniform(1.1, 3))
        run["file_bytes"] = draw.randrange(120 << 20, 300 << 20)
    if workload == "large_read":
        run["extra"] = {"bytes_read": int(run["operations"] * 0.96) * 4096}
    if workload == "scan":
        run["extra"] = {"scanned_bytes": run["operations"] * 116}
    if workload == "sustained":
        run["timeline"] = [
            {"second": s, "operations": int(rate * draw.uniform(0.5 if s % 60 == 7 else 0.9, 1.05)),
             "p99_ns": int(percentiles["p99"] * draw.uniform(0.9, 3 if s % 60 == 7 else 1.3))}
            for s in range(300)
        ]
    return run


def document(seed=1, runs=3, samples=2000):
    draw = random.Random(seed)
    results = []
    for workload, parameters, store, rate in FLOORS:
        for number in range(runs):
            results.append(run_of(draw, workload, parameters, store, number, rate, samples))
    for workload, parameters, rates in WORKLOADS:
        for number in range(runs):
            for store, rate in zip(STORES, rates):
                if rate is not None:
                    results.append(run_of(draw, workload, parameters, store, number, rate, samples))
    for workload, parameters, times in OPENS:
        for number in range(runs):
            for store, time in zip(STORES, times):
                results.append(run_of(draw, workload, parameters, store, number, 1e9 / time, 1))
                results[-1]["operations"], results[-1]["seconds"] = 1, time / 1e9
    stores = {
        name: {"version": "1.2.3", "configuration": f"{name} as who knows it would, all synced"}
        for name in (*STORES, "disk", "memory")
    }
    return {
        "format": 1,
        "keel": {"version": "0.1.0", "commit": "0123456789ab"},
        "machine": {
            "cpu": "A processor of this kind",
            "cores": 2,
            "memory_bytes": 24 << 30,
            "kernel": "Linux 6.1",
            "file_system": "ext4",
        },
        "started": "2026-11-26T09:00:00Z",
        "rows": 1000000,
        "runs": runs,
        "seed": seed,
        "stores": stores,
        "results": results,
        "failures": [
            {
                "workload": "durable_put_checkpoints",
                "parameters": {"threads": 8},
                "store": "leveldb",
                "run": 0,
                "message": "it has no checkpoint",
            }
        ],
    }


if __name__ == "__main__":
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(document(), file)
