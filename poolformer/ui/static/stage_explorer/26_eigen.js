// The largest eigenvalues of a symmetric matrix, by subspace iteration with Rayleigh-Ritz projection
// (Parlett, The Symmetric Eigenvalue Problem, chapter 14): a block of vectors is multiplied until it settles.

const SPARE_VECTORS = 13; // beyond those that are wanted: the more, the faster it settles
const SETTLED = 1e-11; // of the largest eigenvalue: what is left of A v - lambda v
const MOST_ROUNDS = 400;

/** Up to `count` {value, vector} of the symmetric matrix (size, size), largest value first. */
const leadingEigenvectors = (matrix, size, count) => {
  let block = orthonormal(Array.from({ length: Math.min(size, count + SPARE_VECTORS) }, (_, k) => scattered(size, k)));
  for (let round = 1; ; round++) {
    const images = block.map((vector) => product(matrix, size, size, vector));
    const { values, turns } = eigenJacobi(block.map((vector) => images.map((image) => dot(vector, image))));
    const turned = turns.map((turn) => combination(turn, block));
    const turnedImages = turns.map((turn) => combination(turn, images));
    const leading = turned.slice(0, count).map((vector, k) => ({ value: values[k], vector }));
    const rest = ({ value, vector }, k) => lengthOf(turnedImages[k].map((entry, i) => entry - value * vector[i]));
    const isSettled = block.length === size || leading.every((pair, k) => rest(pair, k) <= SETTLED * values[0]);
    if (isSettled || round === MOST_ROUNDS) return leading;
    block = orthonormal(turnedImages);
  }
};

/** A vector of numbers in [-1, 1) that is the same every time, and unlike any other k's. */
const scattered = (size, k) => {
  let seed = 12345 + 6789 * k;
  return Float64Array.from({ length: size }, () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0; // Numerical Recipes' linear congruence
    return seed / 2 ** 31 - 1;
  });
};

const combination = (weights, vectors) => {
  const result = new Float64Array(vectors[0].length);
  weights.forEach((weight, k) => {
    for (let i = 0; i < result.length; i++) result[i] += weight * vectors[k][i];
  });
  return result;
};

/** The vectors made orthonormal in turn (Gram-Schmidt, twice); one that depends on those before is made anew. */
const orthonormal = (vectors) => {
  const result = [];
  vectors.forEach((vector, k) => {
    let candidate = vector;
    for (let attempt = 1; ; attempt++) {
      const before = lengthOf(candidate);
      for (let pass = 0; pass < 2; pass++) {
        for (const other of result) {
          const share = dot(candidate, other);
          candidate = candidate.map((entry, i) => entry - share * other[i]);
        }
      }
      if (lengthOf(candidate) > 1e-12 * before) break;
      candidate = scattered(vector.length, vectors.length * attempt + k);
    }
    result.push(unit(candidate));
  });
  return result;
};

/** All eigenvalues of a small symmetric matrix, descending, and their vectors as rows: cyclic Jacobi rotations. */
const eigenJacobi = (symmetric) => {
  const a = symmetric.map((row) => Float64Array.from(row));
  const size = a.length;
  const v = a.map((_, i) => Float64Array.from({ length: size }, (_, j) => Number(i === j)));
  const mix = (rows, p, q, c, s) => {
    for (let k = 0; k < size; k++) {
      const [x, y] = [rows[p][k], rows[q][k]];
      rows[p][k] = c * x - s * y;
      rows[q][k] = s * x + c * y;
    }
  };
  const rotate = (p, q) => {
    const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
    const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
    const c = 1 / Math.sqrt(t * t + 1);
    const s = t * c;
    for (let k = 0; k < size; k++) [a[k][p], a[k][q]] = [c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]];
    mix(a, p, q, c, s);
    mix(v, p, q, c, s);
  };
  for (let sweep = 0; sweep < 30; sweep++) {
    const scale = a.reduce((most, row, i) => Math.max(most, Math.abs(row[i])), 0);
    let rotated = false;
    for (let p = 0; p < size; p++) {
      for (let q = p + 1; q < size; q++) {
        if (Math.abs(a[p][q]) <= 1e-15 * scale) continue;
        rotate(p, q);
        rotated = true;
      }
    }
    if (!rotated) break;
  }
  const order = a.map((_, i) => i).sort((i, j) => a[j][j] - a[i][i]);
  return { values: order.map((i) => a[i][i]), turns: order.map((i) => v[i]) };
};
