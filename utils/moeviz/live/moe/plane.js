// A gate over two numbers: which expert owns which part of the plane.
import { topKIndex } from "./arrays.js";

/** Return the scores (E,) of a point: x @ gate + bias, the gate given as one arrow per expert. */
export function scoresAt([x, y], arrows, bias) {
  return arrows.map(([right, up], expert) => x * right + y * up + bias[expert]);
}

/** Return the first choice of each point; ties go to the lowest expert. */
export function ownersOf(points, arrows, bias) {
  return points.map(point => topKIndex(scoresAt(point, arrows, bias), 1)[0]);
}

/** Return for each point the experts whose score is the largest there, more than one on a border. */
export function tiesAt(point, arrows, bias) {
  const scores = scoresAt(point, arrows, bias), best = Math.max(...scores);
  return scores.flatMap((score, expert) => Math.abs(score - best) < 1e-9 ? [expert] : []);
}

/** Return per expert the polygon where it is the best, inside a square from -span to span. */
export function regionsOf(arrows, bias, span) {
  return arrows.map((arrow, expert) => {
    let region = [[-span, -span], [span, -span], [span, span], [-span, span]];
    arrows.forEach((other, rival) => {
      if (rival === expert) return;
      const [a, b, c] = [arrow[0] - other[0], arrow[1] - other[1], bias[expert] - bias[rival]];
      const same = a === 0 && b === 0 && c === 0;
      region = same && rival < expert ? [] : same ? region : clipRegion(region, a, b, c);
    });
    return region;
  });
}

/** Return what is left of a polygon where a x + b y + c >= 0. */
function clipRegion(region, a, b, c) {
  const side = ([x, y]) => a * x + b * y + c, kept = [];
  region.forEach((point, at) => {
    const next = region[(at + 1) % region.length], [here, there] = [side(point), side(next)];
    if (here >= 0) kept.push(point);
    if ((here > 0 && there < 0) || (here < 0 && there > 0)) {
      const part = here / (here - there);
      kept.push([point[0] + part * (next[0] - point[0]), point[1] + part * (next[1] - point[1])]);
    }
  });
  return kept;
}

/** Return the area of a polygon. */
export function areaOf(region) {
  const twice = region.reduce((total, [x, y], at) => {
    const [nextX, nextY] = region[(at + 1) % region.length];
    return total + x * nextY - nextX * y;
  }, 0);
  return Math.abs(twice) / 2;
}
