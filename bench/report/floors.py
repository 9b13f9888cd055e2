"""How far from what the machine allows: Keel and the best peer against the floors of the same run.

A floor is met as a workload of its own (floor_write, floor_read, floor_memcpy), as a pseudo-store
floor... in a workload, or as absl::btree_map, the limit in memory.
"""

import dataclasses

from figures import IN_MEMORY, KEEL, P50, RATE, Measure, Spread, advantage, main_measure, row_title

BLOCK_BYTES = 4096
# Nobody is faster than the device by more than chance. What seems to be was measured in another
# state of the machine than the floor, or does not do what it says.
PLAUSIBLE_SHARE = 1.15


def blocks_per_second(run):
    """Blocks read from the device, at most one an operation: more would be waste, not speed."""
    read = run.extra.get("bytes_read")
    if isinstance(read, bool) or not isinstance(read, (int, float)) or read < 0:
        return None
    return min(read / BLOCK_BYTES, run.operations) / run.seconds


def scanned_per_second(run):
    scanned = run.extra.get("scanned_bytes", run.extra.get("copied_bytes"))
    if isinstance(scanned, bool) or not isinstance(scanned, (int, float)) or scanned < 0:
        return None
    return scanned / run.seconds


DEVICE_READS = Measure(
    "device_reads", "device reads per second", blocks_per_second, RATE.show, True
)
SCANNED = Measure(
    "scanned", "bytes per second", scanned_per_second, lambda v: f"{v / 1e9:.3g} GB/s", True
)

# Workload, its parameters; the floor, its parameters; what to compare, what of the floor.
PAIRS = (
    ("durable_put", {"threads": 1}, "floor_write", {}, P50, P50),
    ("large_durable_put", {"threads": 1}, "floor_write", {}, P50, P50),
    ("large_read", {"threads": 1}, "floor_read", {"depth": 1}, DEVICE_READS, RATE),
    ("large_multi_get", {"threads": 1}, "floor_read", {"depth": 32}, DEVICE_READS, RATE),
    ("scan", {}, "floor_memcpy", {}, SCANNED, SCANNED),
)


def has_parameters(row, wanted):
    return all(row.parameters.get(key) == value for key, value in wanted.items())


def best_floor(comparison, workload, parameters, measure):
    """(what it is, Spread) of the best of these floors, or None."""
    found = []
    for row in comparison.floor_rows:
        if row.workload == workload and has_parameters(row, parameters):
            found += [(row_title(row), measure.of(row, store)) for store in row.runs]
    found = [one for one in found if one[1] is not None]
    best_first = sorted(found, key=lambda one: one[1].median, reverse=measure.more_is_better)
    return best_first[0] if best_first else None


@dataclasses.dataclass
class Distance:
    """`share` is how much of the floor's speed is reached, 1 being all of it."""

    row: object
    store: str
    measure: Measure
    value: Spread
    floor: str
    limit: Spread

    @property
    def share(self):
        return advantage(self.measure, self.value.median, self.limit.median)

    @property
    def plausible(self):
        of_memory = self.floor == IN_MEMORY or self.measure is SCANNED
        return of_memory or self.share <= PLAUSIBLE_SHARE


def distances_to(comparison, row, measure, name, limit):
    """Of Keel and, where the floor is the machine's, of the best peer."""
    best = comparison.best_peer(row, measure) if name != IN_MEMORY else None
    for store in [KEEL] + ([best[0]] if best else []):
        value = measure.of(row, store)
        if value is not None:
            yield Distance(row, store, measure, value, name, limit)


def distances(comparison):
    found = []
    for workload, parameters, floor, floor_parameters, measure, of_floor in PAIRS:
        limit = best_floor(comparison, floor, floor_parameters, of_floor)
        for row in comparison.rows:
            if limit and row.workload == workload and has_parameters(row, parameters):
                found += distances_to(comparison, row, measure, *limit)
    for row in comparison.rows:
        measure = main_measure(row)
        limits = [store for store in row.runs if store in comparison.floors or store == IN_MEMORY]
        for store in limits:
            found += distances_to(comparison, row, measure, store, measure.of(row, store))
    return [one for one in found if one.limit is not None and one.share is not None]
