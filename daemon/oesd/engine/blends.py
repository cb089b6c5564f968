"""A top that no single line explains is several lines: the light of its neighbourhood taken apart, none of it negative.

Around each such top lines of the instrument's width stand half a sigma apart; their heights are the non-negative least
squares (Lawson and Hanson, Solving Least Squares Problems, 1974), which needs neither the number of lines nor a start
and sees closer than the line is wide, because light is never negative. All tops are solved at once by a primal-dual
interior-point method (Nocedal and Wright, Numerical Optimization, 2006, chapter 16), stopped where chi^2 is known to a
fraction of one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from oesd.engine.linefit import shape_of
from oesd.engine.lines import IntArray
from oesd.model import FloatArray, MaskArray

NODES = np.arange(-3.5, 3.51, 0.5)  # of a line's sigmas
WINDOW_SIGMAS = 3.2  # pixels to each side of the top
STEPS = 8
CORE_SIGMAS = 1.5
MISFIT_CHI2 = 4.0  # of a pixel, within the core: lines of this width do not make such a top
SMOOTH_SIGMAS = 0.5  # what is left there is smoothed by so much and added to the curve
GAP_CHI2 = 0.02  # of every node: where the steps end
FINE = np.linspace(-1.2, 1.2, 61)  # where the highest point is looked for, in sigmas


@dataclass(frozen=True, slots=True, eq=False)
class Apart:
    """Tops taken apart; arrays (tops,) unless said otherwise.

    Attributes
    ----------
    center_px, height : float64
        Where the light of the lines together is highest, and how high.
    center_sigma, height_sigma : float64
    wider : float64
        Relative variance that the lines add to a single one's, within a sigma and a half of the highest point.
    beside : float64
        Light of lines between one sigma and a half and three from there, relative to the height.
    """

    center_px: FloatArray
    height: FloatArray
    center_sigma: FloatArray
    height_sigma: FloatArray
    wider: FloatArray
    beside: FloatArray


def taken_apart(
    net: FloatArray, weight: FloatArray, center_px: FloatArray, sigma_px: FloatArray, skew: float = 0.0
) -> Apart:
    """Lines in the neighbourhood of each top.

    Parameters
    ----------
    net, weight : (pixels,) float64
        Counts above the baseline and 1 / variance; weight 0 where a pixel is not to be used.
    center_px, sigma_px : (tops,) float64
        Where the tops are about, and the width of a single line there.
    skew : float
        Its third Hermite term.
    """
    half = int(np.ceil(WINDOW_SIGMAS * float(sigma_px.max())))
    place = np.rint(center_px).astype(np.int64)[:, None] + np.arange(-half, half + 1)
    at = np.clip(place, 0, len(net) - 1)
    z = (place - center_px[:, None]) / sigma_px[:, None]
    used = np.where((place == at) & (np.abs(z) <= WINDOW_SIGMAS + 0.3), weight[at], 0.0)
    shapes = shape_of(z[:, :, None] - NODES, skew)
    weighted = shapes * used[:, :, None]
    normal = weighted.transpose(0, 2, 1) @ shapes
    light = np.einsum("pkn,pk->pn", weighted, net[at])
    node_height = non_negative(normal, light)
    curve = node_height @ shape_of(FINE[:, None] - NODES, skew).T
    left = net[at] - np.einsum("pkn,pn->pk", shapes, node_height)
    core = used * (np.abs(z) < CORE_SIGMAS)
    misfit = np.einsum("pk,pk,pk->p", core, left, left) / np.maximum((core > 0.0).sum(axis=1), 1)
    odd = np.flatnonzero(misfit > MISFIT_CHI2)
    trusted = 1.0 - MISFIT_CHI2 / misfit[odd]
    curve[odd] += trusted[:, None] * _smoothed(left[odd], z[odd], used[odd] > 0.0)
    rows, best = np.arange(len(center_px)), _highest(curve)
    height = np.maximum(curve[rows, best], 1e-30)
    step = FINE[1] - FINE[0]
    bend = (2.0 * height - curve[rows, best - 1] - curve[rows, best + 1]) / step**2
    tilt = 0.5 * (curve[rows, best + 1] - curve[rows, best - 1]) / step
    top = FINE[best] + np.clip(tilt / np.maximum(bend, 0.05 * height), -step, step)
    height_sigma = 1.0 / np.sqrt(np.maximum(np.einsum("pk,pk->p", used, np.exp(-z * z)), 1e-300))
    distance = NODES - top[:, None]
    near = node_height * (np.abs(distance) < 1.5)
    share = near / np.maximum(near.sum(axis=1), 1e-300)[:, None]
    mean = (share * distance).sum(axis=1)
    return Apart(
        center_px=center_px + sigma_px * top,
        height=height,
        center_sigma=sigma_px * height_sigma / np.maximum(bend, 0.1 * height),
        height_sigma=height_sigma,
        wider=np.maximum((share * distance * distance).sum(axis=1) - mean * mean, 0.0),
        beside=(node_height * ((np.abs(distance) >= 1.5) & (np.abs(distance) < 3.0))).sum(axis=1) / height,
    )


def _highest(curve: FloatArray) -> IntArray:
    """Place of the highest maximum of each row; the middle where it only rises, to a neighbour of the top."""
    inner = curve[:, 1:-1]
    maximum = (inner >= curve[:, :-2]) & (inner >= curve[:, 2:])
    best: IntArray = np.where(maximum, inner, -np.inf).argmax(axis=1) + 1
    return np.where(maximum.any(axis=1), best, len(FINE) // 2)


def _smoothed(left: FloatArray, z: FloatArray, used: MaskArray) -> FloatArray:
    """What the lines leave, at the fine places: (tops, places)."""
    kernel = np.exp(-0.5 * ((z[:, :, None] - FINE) / SMOOTH_SIGMAS) ** 2) * used[:, :, None]
    smoothed: FloatArray = np.einsum("pkf,pk->pf", kernel, left) / np.maximum(kernel.sum(axis=1), 1e-3)
    return smoothed


def non_negative(normal: FloatArray, light: FloatArray) -> FloatArray:
    """Heights x >= 0 that make x' N x / 2 - b' x least, (tops, nodes); N is (tops, nodes, nodes), b (tops, nodes)."""
    nodes = np.arange(light.shape[1])
    scale = np.sqrt(np.maximum(normal[:, nodes, nodes], 1e-12 * normal.max(axis=(1, 2))[:, None] + 1e-300))
    unit, wanted = normal / (scale[:, :, None] * scale[:, None, :]), light / scale
    unit[:, nodes, nodes] += 1e-9
    level = np.maximum(wanted.sum(axis=1) / unit.sum(axis=(1, 2)), 1e-6)
    slope = unit.sum(axis=2) * level[:, None] - wanted
    both = np.empty((2, *light.shape))  # the heights, and how much chi^2 would rise with each
    both[0] = level[:, None]
    both[1] = np.maximum(slope, 0.0) + 0.1 * np.abs(slope).max(axis=1, keepdims=True) + 1e-9
    change = np.empty_like(both)
    for _ in range(STEPS):
        x, y = both
        aim = np.maximum(0.1 * (x * y).mean(axis=1, keepdims=True), GAP_CHI2) / x
        ratio = y / x
        system = unit.copy()
        system[:, nodes, nodes] += ratio
        change[0] = np.linalg.solve(system, (aim - slope)[:, :, None])[:, :, 0]
        change[1] = aim - y - ratio * change[0]
        steepest = (change / both).min(axis=2, keepdims=True)
        both += change * np.minimum(1.0, -0.9 / np.minimum(steepest, -1e-9))
        slope = np.matmul(unit, both[0][:, :, None])[:, :, 0] - wanted
    heights: FloatArray = both[0] / scale
    return heights
