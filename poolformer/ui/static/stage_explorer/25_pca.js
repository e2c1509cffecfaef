// Principal components of a stage's cells as colours: the recipe of poolformer/inspection/maps.py, step by step.

const PCA_PERCENTILES = [1, 99];
const SIGN_TIE = 0.01;
const ROUNDING = 1e-6;
const OUTLIER_SPREAD = 1e-3;
const MID_GREY = 0.5;

/** {rgb: Float32Array (H*W*3), explained: [3], components: Float32Array (3*C), spans: [3] of the scores at 0 and 1}. */
const pcaOf = (stage) =>
  once(stage, 'pca', () => {
    const { channels, cells } = stage;
    const result = {
      rgb: new Float32Array(cells * 3).fill(MID_GREY),
      explained: [0, 0, 0],
      components: new Float32Array(channels * 3),
      spans: [null, null, null],
    };
    const { centred, square } = centredRows(stage);
    principalAxes(centred, channels, cells, ROUNDING ** 2 * square).forEach(({ axis, share }, k) => {
      const sign = signOf(axis);
      const scores = new Float64Array(cells);
      for (let c = 0; c < channels; c++) {
        result.components[k * channels + c] = sign * axis[c];
        for (let n = 0; n < cells; n++) scores[n] += sign * axis[c] * centred[c * cells + n];
      }
      const [low, high] = spanOf(scores);
      scores.forEach((score, n) => (result.rgb[3 * n + k] = clamp((score - low) / (high - low), 0, 1)));
      result.explained[k] = share;
      result.spans[k] = [low, high];
    });
    return result;
  });

/** The channels (C, H*W) less their means, and the sum of all squares before. */
const centredRows = ({ channels, cells, codes, offset, scale }) => {
  const centred = new Float64Array(channels * cells);
  let square = 0;
  for (let c = 0; c < channels; c++) {
    const row = centred.subarray(c * cells, (c + 1) * cells);
    let sum = 0;
    for (let n = 0; n < cells; n++) {
      row[n] = offset[c] + scale[c] * codes[c * cells + n];
      square += row[n] * row[n];
      sum += row[n];
    }
    for (let n = 0; n < cells; n++) row[n] -= sum / cells;
  }
  return { centred, square };
};

/** Up to three {axis (C) of length 1, share of the scatter}, from the smaller of the two matrices that have them. */
const principalAxes = (centred, channels, cells, rounding) => {
  const overChannels = channels <= cells;
  const size = overChannels ? channels : cells;
  const matrix = overChannels
    ? gram(centred, channels, cells)
    : gram(transposed(centred, channels, cells), cells, channels);
  let total = 0;
  for (let i = 0; i < size; i++) total += matrix[i * size + i];
  return leadingEigenvectors(matrix, size, 3)
    .filter(({ value }) => value > rounding)
    .map(({ value, vector }) => ({
      axis: overChannels ? vector : unit(product(centred, channels, cells, vector)),
      share: value / total,
    }));
};

/** +1 or -1: the sign under which the decisive loading is positive, the first within 1% of the largest. */
const signOf = (axis) => {
  const largest = axis.reduce((most, loading) => Math.max(most, Math.abs(loading)), 0);
  return Math.sign(axis.find((loading) => Math.abs(loading) >= (1 - SIGN_TIE) * largest));
};

/** The scores that are drawn as 0 and 1: their percentiles, or their extremes if nearly all of them are equal. */
const spanOf = (scores) => {
  const sorted = scores.slice().sort();
  const [low, high] = PCA_PERCENTILES.map((q) => percentileOf(sorted, q));
  const [least, most] = [sorted[0], sorted.at(-1)];
  return high - low < OUTLIER_SPREAD * (most - least) ? [least, most] : [low, high];
};

/** Scalar product of a[from], a[from + 1], ... with all of b; four sums at once, which the processor runs abreast. */
const dot = (a, b, from = 0) => {
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  const whole = b.length - (b.length % 4);
  for (let i = 0; i < whole; i += 4) {
    s0 += a[from + i] * b[i];
    s1 += a[from + i + 1] * b[i + 1];
    s2 += a[from + i + 2] * b[i + 2];
    s3 += a[from + i + 3] * b[i + 3];
  }
  for (let i = whole; i < b.length; i++) s0 += a[from + i] * b[i];
  return s0 + s1 + s2 + s3;
};

const lengthOf = (vector) => Math.sqrt(dot(vector, vector));

const unit = (vector) => {
  const length = lengthOf(vector);
  return vector.map((entry) => entry / length);
};

const transposed = (matrix, rows, cols) => {
  const result = new Float64Array(matrix.length);
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) result[j * rows + i] = matrix[i * cols + j];
  return result;
};

/** matrix (rows, cols) times vector (cols). */
const product = (matrix, rows, cols, vector) => {
  const result = new Float64Array(rows);
  for (let i = 0; i < rows; i++) result[i] = dot(matrix, vector, i * cols);
  return result;
};

/** All scalar products of the rows of a matrix (rows, cols) with each other, (rows, rows). */
const gram = (matrix, rows, cols) => {
  const result = new Float64Array(rows * rows);
  for (let i = 0; i < rows; i++) {
    const row = matrix.subarray(i * cols, (i + 1) * cols);
    for (let j = 0; j <= i; j++) result[i * rows + j] = result[j * rows + i] = dot(matrix, row, j * cols);
  }
  return result;
};
