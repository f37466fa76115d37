"""Exercises of notebook 19: who waits for whom, the bytes on the wire, and the load of copied experts."""

import numpy as np

from moeviz.exercises.engine import Exercise

# --- straggle: load (N,) -> slowest over mean, share of all device time spent waiting ---


def slow_straggle(load):
    slowest = total = 0
    for rows in load.tolist():
        slowest, total = max(slowest, rows), total + rows
    waiting = sum(slowest - rows for rows in load.tolist())
    return slowest / (total / len(load)), waiting / (slowest * len(load))


def straggle_by_mean(load):
    return 1.0, 0.0  # mean over mean


def straggle_by_spread(load):
    return load.max() / load.min(), 1 - load.min() / load.max()


def straggle_idle_of_work(load):
    ratio = load.max() / load.mean()
    return ratio, ratio - 1


straggle = Exercise("straggle", slow_straggle, (
    (np.array([2, 4, 3]),), (np.array([5, 5, 5, 5]),), (np.array([40, 1, 3, 8, 8]),)), {
    "a step ends with the slowest device, not with the mean one: take the maximum": straggle_by_mean,
    "compare the slowest with the mean, not with the fastest": straggle_by_spread,
    "waiting is a share of all device time, which is N times the slowest": straggle_idle_of_work})

# --- wire_bytes: device (T, k), home (T,), width D, bytes per number -> bytes that leave home, both ways ---


def slow_wire_bytes(device, home, width, number_bytes):
    rows = 0
    for served, lives in zip(device.tolist(), home.tolist(), strict=True):
        rows += len(set(served) - {lives})
    return 2 * rows * width * number_bytes


def bytes_with_local(device, home, width, number_bytes):
    return 2 * sum(len(set(served)) for served in device.tolist()) * width * number_bytes


def bytes_one_way(device, home, width, number_bytes):
    return slow_wire_bytes(device, home, width, number_bytes) // 2


def bytes_per_choice(device, home, width, number_bytes):
    return 2 * int((device != home[:, None]).sum()) * width * number_bytes


def bytes_of_numbers(device, home, width, number_bytes):
    return slow_wire_bytes(device, home, width, 1)


MANY = np.random.default_rng(17)
wire_bytes = Exercise("wire_bytes", slow_wire_bytes, (
    (np.array([[0, 1], [1, 1], [0, 0]]), np.array([0, 0, 0]), 10, 2),
    (MANY.integers(0, 4, (20, 3)), MANY.integers(0, 4, 20), 96, 4)), {
    "a token whose expert is at home does not travel: leave it out": bytes_with_local,
    "the answers come back and weigh as much: count the combine too": bytes_one_way,
    "two choices on one device need the token there once": bytes_per_choice,
    "these are numbers, and a number has several bytes": bytes_of_numbers})

# --- device_load: load (E,), hosts (N, E) bool -> load (N,) when the copies of an expert share its tokens ---


def slow_device_load(load, hosts):
    result = np.zeros(len(hosts))
    for expert, rows in enumerate(load.tolist()):
        holders = [device for device in range(len(hosts)) if hosts[device, expert]]
        for device in holders:
            result[device] += rows / len(holders)
    return result


def load_with_extra_experts(load, hosts):
    return (hosts @ load).astype(float)


def load_of_first_copies(load, hosts):
    first = np.argmax(hosts, axis=0)
    return np.bincount(first, load, len(hosts))


def load_over_all_devices(load, hosts):
    return hosts @ load / len(hosts)


device_load = Exercise("device_load", slow_device_load, (
    (np.array([6, 2, 4]), np.array([[True, True, False], [True, False, True]])),
    (np.array([9, 1, 5, 3, 8]), np.array([[1, 0, 1, 0, 0], [0, 1, 1, 0, 1], [1, 0, 0, 1, 1]], bool)),
    (np.array([3, 4]), np.array([[True, False], [False, True]]))), {
    "a copy is no further expert with tokens of its own: the copies share them": load_with_extra_experts,
    "the second copy has nothing to do here, but copies take turns": load_of_first_copies,
    "divide by the number of copies of the expert, not of devices": load_over_all_devices})
