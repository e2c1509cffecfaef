// Numbers from a stage's codes. A map is a Float32Array (H*W); sums are accumulated in 64 bits.

/** Channel `channel` as it was, to within half its scale: offset + scale * code. */
const channelValues = (stage, channel) => {
  const values = new Float32Array(stage.cells);
  const [offset, scale, from] = [stage.offset[channel], stage.scale[channel], channel * stage.cells];
  for (let n = 0; n < stage.cells; n++) values[n] = offset + scale * stage.codes[from + n];
  return values;
};

/** The mean over channels of what `measure` gives for each channel's values. */
const meanOverChannels = (stage, measure) => {
  const sums = new Float64Array(stage.cells);
  for (let c = 0; c < stage.channels; c++) {
    const values = measure(channelValues(stage, c));
    for (let n = 0; n < stage.cells; n++) sums[n] += Math.abs(values[n]);
  }
  return Float32Array.from(sums, (sum) => sum / stage.channels);
};

/** Mean absolute activation of each cell. */
const energyMap = (stage) => once(stage, 'energy', () => meanOverChannels(stage, (values) => values));

/** pool(x) - x of a map: the mean of the size x size cells around each cell, places outside not counted, minus it. */
const disagreement = (stage, values) => {
  const { height, width } = stage;
  const reach = (poolSize(stage) - 1) / 2;
  const result = new Float32Array(values.length);
  for (let row = 0; row < height; row++) {
    const top = Math.max(row - reach, 0);
    const bottom = Math.min(row + reach, height - 1);
    for (let col = 0; col < width; col++) {
      const left = Math.max(col - reach, 0);
      const right = Math.min(col + reach, width - 1);
      let sum = 0;
      for (let r = top; r <= bottom; r++) for (let c = left; c <= right; c++) sum += values[r * width + c];
      const n = row * width + col;
      result[n] = sum / ((bottom - top + 1) * (right - left + 1)) - values[n];
    }
  }
  return result;
};

/** The neighbourhood's edge in cells; a network that does not pool is looked at with PoolFormer's. */
const poolSize = (stage) => stage.pool_size || 3;

/** Mean over channels of |pool(x) - x|. */
const disagreementOfAll = (stage) =>
  once(stage, 'disagreement', () => meanOverChannels(stage, (values) => disagreement(stage, values)));

/** The cells as vectors of length 1, Float32Array (H*W, C); a cell that is zero stays zero. */
const unitCells = (stage) =>
  once(stage, 'unit cells', () => {
    const { channels, cells, codes, offset, scale } = stage;
    const vectors = new Float32Array(cells * channels);
    for (let n = 0; n < cells; n++) {
      let square = 0;
      for (let c = 0; c < channels; c++) {
        const value = offset[c] + scale[c] * codes[c * cells + n];
        vectors[n * channels + c] = value;
        square += value * value;
      }
      const length = Math.sqrt(square) || 1;
      for (let c = 0; c < channels; c++) vectors[n * channels + c] /= length;
    }
    return vectors;
  });

/** Cosine similarity of every cell of `stage` to the unit vector at `from` in `source`, written into `result` (H*W). */
const cosinesTo = (source, from, stage, result) => {
  const { channels, cells } = stage;
  const vectors = unitCells(stage);
  for (let n = 0, at = 0; n < cells; n++) {
    let sum = 0;
    for (let c = 0; c < channels; c++, at++) sum += source[from + c] * vectors[at];
    result[n] = sum;
  }
  return result;
};

/** The picture at the stage's resolution, Float32Array (H*W*3) in [0, 1]: the mean of the pixels nearest to a cell. */
const pictureAtStage = (run, stage) =>
  once(stage, 'picture', () => {
    const { height, width, rgb } = run.picture;
    const sums = new Float64Array(stage.cells * 3);
    const counts = new Uint32Array(stage.cells);
    const cols = Array.from({ length: width }, (_, x) => nearest(stage, x, stage.width));
    for (let y = 0; y < height; y++) {
      const from = nearest(stage, y, stage.height) * stage.width;
      for (let x = 0; x < width; x++) {
        const n = from + cols[x];
        counts[n]++;
        for (let k = 0; k < 3; k++) sums[3 * n + k] += rgb[3 * (y * width + x) + k];
      }
    }
    return Float32Array.from(sums, (sum, at) => sum / (255 * counts[Math.floor(at / 3)]));
  });

/** The q-th percentile of ascending values, interpolated linearly, as numpy's. */
const percentileOf = (sorted, q) => {
  const at = ((sorted.length - 1) * q) / 100;
  const below = Math.floor(at);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below] + (at - below) * (sorted[above] - sorted[below]);
};

const sortedMagnitudes = (values) => values.map(Math.abs).sort();

/** The percentile of ascending magnitudes; the largest where that is zero, so that a few values still show. */
const reachOf = (sorted, clip) => percentileOf(sorted, clip) || sorted.at(-1);

/** Of each channel over its cells: energy (mean |x|), mean, variance, min and max, Float64Arrays (C). */
const channelStatistics = (stage) =>
  once(stage, 'statistics', () => {
    const names = ['energy', 'mean', 'variance', 'min', 'max'];
    const result = Object.fromEntries(names.map((name) => [name, new Float64Array(stage.channels)]));
    for (let c = 0; c < stage.channels; c++) {
      const values = channelValues(stage, c);
      let [sum, magnitude, deviation] = [0, 0, 0];
      for (let n = 0; n < stage.cells; n++) sum += values[n];
      const mean = sum / stage.cells;
      for (let n = 0; n < stage.cells; n++) {
        magnitude += Math.abs(values[n]);
        deviation += (values[n] - mean) ** 2;
      }
      result.energy[c] = magnitude / stage.cells;
      result.mean[c] = mean;
      result.variance[c] = deviation / stage.cells;
      [result.min[c], result.max[c]] = extremesOf(values);
    }
    return result;
  });

const extremesOf = (values) => {
  let [least, most] = [Infinity, -Infinity];
  for (let n = 0; n < values.length; n++) {
    if (values[n] < least) least = values[n];
    if (values[n] > most) most = values[n];
  }
  return [least, most];
};

/** How many values fall into each of `bins` equal steps from low to high, their extremes. */
const histogramOf = (values, low, high, bins) => {
  const counts = new Uint32Array(bins);
  const steps = high > low ? bins / (high - low) : 0;
  for (const value of values) counts[Math.min(Math.floor((value - low) * steps), bins - 1)]++;
  return counts;
};
