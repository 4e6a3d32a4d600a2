"""Files of results as gemmgrad bench writes them, made up by the tests of the verbs that read them."""
import json

CONTEXT = {"date": "2026-03-01T12:00:00+01:00", "cpu": "Test CPU", "threads": 2, "fma_peak_gflops": 300.0,
           "memory_gbps": 20.0, "environment": {"OMP_NUM_THREADS": "2"},
           "caches": [{"type": "Data", "level": 1, "size": 32768, "num_sharing": 2}]}


def entries(name, seconds, **counters):
    """The samples of a case, then its median with the counters."""
    common = {"run_name": name, "time_unit": "ns", "threads": 2}
    for i, sample in enumerate(seconds):
        yield {**common, "name": name, "run_type": "iteration", "repetition_index": i, "real_time": 1e9 * sample,
               "cpu_time": 1e9 * sample}
    if counters:
        median = 1e9 * sorted(seconds)[len(seconds) // 2]
        yield {**common, "name": name + "_median", "run_type": "aggregate", "aggregate_name": "median",
               "real_time": median, "cpu_time": median, **counters}


def failure(name, message):
    return {"name": name, "run_name": name, "run_type": "iteration", "error_occurred": True, "error_message": message}


def results(benchmarks, **context):
    """The bytes of a file; context: keys beside the usual ones, None leaves one out."""
    merged = {key: value for key, value in {**CONTEXT, **context}.items() if value is not None}
    return json.dumps({"context": merged, "benchmarks": list(benchmarks)}).encode()
