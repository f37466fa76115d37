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
    (np.array([2, 4, 3]),), (np.array([5, 5, 5, 5]),), (np.array([8, 4, 8]),)), draw_straggle)


@straggle.mistake("the mean was compared with itself; a step ends with the slowest device")
def straggle_by_mean(load):
    return 1.0, 0.0  # mean over mean


@straggle.mistake("these are rows that wait; the share of all device time is asked for")
def straggle_in_rows(load):
    return load.max() / load.mean(), (load.max() - load).sum()


@straggle.mistake("the slowest was compared with the fastest; compare it with the mean")
def straggle_by_spread(load):
    return load.max() / max(load.min(), 1), 1 - load.min() / load.max()


@straggle.mistake("waiting was divided by the work; all device time is N times the slowest")
def straggle_idle_of_work(load):
    ratio = load.max() / load.mean()
    return ratio, ratio - 1


@straggle.mistake("that is the share of time spent working; the rest is waiting")
def straggle_working(load):
    return load.max() / load.mean(), load.mean() / load.max()


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
    (np.array([9, 3]), np.array([[True, False], [True, True], [True, False]]))), draw_device_load)


@device_load.mistake("every copy got all tokens of its expert; the copies share them")
def load_with_extra_experts(load, hosts):
    return (hosts @ load).astype(float)


@device_load.mistake("only first copies got tokens; copies take turns")
def load_of_first_copies(load, hosts):
    return np.bincount(np.argmax(hosts, axis=0), load, len(hosts))


@device_load.mistake("divided by the number of devices; divide by the copies of the expert")
def load_over_all_devices(load, hosts):
    return hosts @ load / len(hosts)


@device_load.mistake("the load was halved, however many copies there are; divide by their number")
def load_halved(load, hosts):
    return hosts @ np.where(hosts.sum(axis=0) > 1, load / 2, load)


@device_load.mistake("you divided by the experts on the device; divide by the copies of each expert")
def load_over_experts(load, hosts):
    return hosts @ load / np.maximum(hosts.sum(axis=1), 1)


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
    (np.array([[0, 1], [0, 1]]), np.array([1, 2]), 10, 2)), draw_wire_bytes)


@wire_bytes.mistake("choices at home were counted; they do not travel")
def bytes_with_local(device, home, width, number_bytes):
    return 2 * sum(len(set(served)) for served in device.tolist()) * width * number_bytes


@wire_bytes.mistake("every token has a home of its own; you took device 0 for all of them")
def bytes_from_device_0(device, home, width, number_bytes):
    return slow_wire_bytes(device, 0 * home, width, number_bytes)


@wire_bytes.mistake("one way was counted; the answers come back and weigh as much")
def bytes_one_way(device, home, width, number_bytes):
    return slow_wire_bytes(device, home, width, number_bytes) // 2


@wire_bytes.mistake("a token was sent once for each choice; a device that serves two of them needs it once")
def bytes_per_choice(device, home, width, number_bytes):
    return 2 * int((device != home[:, None]).sum()) * width * number_bytes


@wire_bytes.mistake("these are numbers, and a number has several bytes")
def bytes_of_numbers(device, home, width, number_bytes):
    return slow_wire_bytes(device, home, width, 1)
