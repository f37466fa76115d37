"""Exercises of notebook 19: who waits for whom, the load of copied experts, the bytes on the wire."""

import numpy as np

from moeviz.exercises.cases import whole
from moeviz.exercises.engine import Exercise


def slow_straggle(load):
    slowest = total = 0
    for rows in load.tolist():
        slowest, total = max(slowest, rows), total + rows
    waiting = sum(slowest - rows for rows in load.tolist())
    return slowest / (total / len(load)), waiting / (slowest * len(load))


def draw_straggle(rng):
    load = rng.integers(0, 30, *whole(rng, (1, 8)))
    load[rng.integers(len(load))] += 1
    return (load,)


straggle = Exercise("straggle", 19, slow_straggle, (
    (np.array([2, 4, 3]),), (np.array([5, 5, 5, 5]),), (np.array([8, 4, 8]),)), draw_straggle, {
    "these are rows that wait; the share of all device time is asked for":
        lambda load: (load.max() / load.mean(), (load.max() - load).sum()),
    "the slowest was compared with the fastest; compare it with the mean":
        lambda load: (load.max() / max(load.min(), 1), 1 - load.min() / load.max()),
    "that is the share of time spent working; the rest is waiting":
        lambda load: (load.max() / load.mean(), load.mean() / load.max()),
    "the mean was compared with itself; a step ends with the slowest device":
        lambda load: (1.0, 0.0),
    "waiting was divided by the work; all device time is N times the slowest":
        lambda load: (load.max() / load.mean(), load.max() / load.mean() - 1)})


def slow_device_load(load, hosts):
    result = np.zeros(len(hosts))
    for expert, rows in enumerate(load.tolist()):
        holders = [device for device in range(len(hosts)) if hosts[device, expert]]
        for device in holders:
            result[device] += rows / len(holders)
    return result


def draw_device_load(rng):
    devices, num_experts = whole(rng, (1, 5), (1, 7))
    hosts = rng.random((devices, num_experts)) < 0.4
    hosts[rng.integers(0, devices, num_experts), np.arange(num_experts)] = True
    return rng.integers(0, 20, num_experts), hosts


device_load = Exercise("device_load", 19, slow_device_load, (
    (np.array([6, 2, 4]), np.array([[True, True, False], [True, False, True]])),
    (np.array([9, 3]), np.array([[True, False], [True, True], [True, False]]))), draw_device_load, {
    "every copy got all tokens of its expert; the copies share them":
        lambda load, hosts: (hosts @ load).astype(float),
    "only first copies got tokens; copies take turns":
        lambda load, hosts: np.bincount(np.argmax(hosts, axis=0), load, len(hosts)),
    "divided by the number of devices; divide by the copies of the expert":
        lambda load, hosts: hosts @ load / len(hosts),
    "the load was halved, however many copies there are; divide by their number":
        lambda load, hosts: hosts @ np.where(hosts.sum(axis=0) > 1, load / 2, load),
    "you divided by the experts on the device; divide by the copies of each expert":
        lambda load, hosts: hosts @ load / np.maximum(hosts.sum(axis=1), 1)})


def slow_wire_bytes(device, home, width, number_bytes):
    rows = 0
    for served, lives in zip(device.tolist(), home.tolist(), strict=True):
        rows += len(set(served) - {lives})
    return 2 * rows * width * number_bytes


def draw_wire_bytes(rng):
    num_tokens, devices, k = whole(rng, (1, 12), (1, 5), (1, 4))
    return (rng.integers(0, devices, (num_tokens, k)), rng.integers(0, devices, num_tokens),
            *whole(rng, (1, 100)), int(rng.choice([1, 2, 4])))


wire_bytes = Exercise("wire_bytes", 19, slow_wire_bytes, (
    (np.array([[0, 1], [1, 1], [0, 0]]), np.array([0, 0, 0]), 10, 2),
    (np.array([[0, 1], [0, 1]]), np.array([1, 2]), 10, 2)), draw_wire_bytes, {
    "choices at home were counted; they do not travel":
        lambda device, home, width, number_bytes: (
            2 * sum(len(set(served)) for served in device.tolist()) * width * number_bytes),
    "every token has a home of its own; you took device 0 for all of them":
        lambda device, home, width, number_bytes: slow_wire_bytes(device, 0 * home, width, number_bytes),
    "one way was counted; the answers come back and weigh as much":
        lambda *case: slow_wire_bytes(*case) // 2,
    "a token was sent once for each choice; a device that serves two of them needs it once":
        lambda device, home, width, number_bytes: (
            2 * int((device != home[:, None]).sum()) * width * number_bytes),
    "these are numbers, and a number has several bytes":
        lambda device, home, width, number_bytes: slow_wire_bytes(device, home, width, 1)})
