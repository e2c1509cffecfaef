// The views: what each shows of a stage, in which unit, over which range of colours, and the sentence that explains it.

/** The runs on the page: {run, figures, ...} of the newest result and of the one that is kept beside it. */
const rows = { current: null, kept: null };
const rowsShown = () => [rows.current, rows.kept].filter((row) => row.run);
const current = () => rows.current.run;

/** The channel of stage i that a run shows: the chosen one, else the strongest of the newest run of its variant. */
const channelOf = (run, i) => {
  const leader = current()?.value.variant === run.value.variant ? current() : run;
  const chosen = leader === current() ? state.channels[i] : run.channels?.[i];
  return chosen < run.stages[i].channels ? chosen : strongestChannel(leader.stages[i]);
};

const indexOfLargest = (values) => values.reduce((best, value, at, all) => (value > all[best] ? at : best), 0);
const strongestChannel = (stage) => once(stage, 'strongest', () => indexOfLargest(channelStatistics(stage).energy));

/** Ascending magnitudes of all channels of a stage, of the activations or of their disagreement. */
const allMagnitudes = (stage, kind) =>
  once(stage, `magnitudes of ${kind}`, () => {
    const all = new Float32Array(stage.channels * stage.cells);
    for (let c = 0; c < stage.channels; c++) {
      const values = channelValues(stage, c);
      all.set(kind === 'x' ? values : disagreement(stage, values), c * stage.cells);
    }
    return sortedMagnitudes(all);
  });

/** A range from 0 to the percentile of one map a stage; there is no channel to range over. */
const unsignedRange = (mapOf) => (run, i) => {
  const high = (stage) => reachOf(once(mapOf(stage), 'sorted', () => sortedMagnitudes(mapOf(stage))), state.clip);
  return [0, state.range === 'all' ? widest(high) : high(run.stages[i])];
};

/** A range around 0 to the percentile of one channel's magnitudes, of all channels', or the widest of all stages. */
const signedRange = (kind, mapOf) => (run, i, channel) => {
  const ofStage = (stage) => reachOf(allMagnitudes(stage, kind), state.clip);
  const high =
    state.range === 'all'
      ? widest(ofStage)
      : state.range === 'stage'
        ? ofStage(run.stages[i])
        : reachOf(sortedMagnitudes(mapOf(run.stages[i], channel)), state.clip);
  return [-high, high];
};

const widest = (reach) => Math.max(...rowsShown().flatMap((row) => row.run.stages.map(reach)));

const disagreementOfChannel = (stage, channel) => disagreement(stage, channelValues(stage, channel));
const channelRange = signedRange('x', channelValues);
const channelDisagreementRange = signedRange('pool(x) - x', disagreementOfChannel);
const energyRange = unsignedRange(energyMap);
const disagreementRange = unsignedRange(disagreementOfAll);

const VIEWS = {
  energy: {
    title: 'Energy',
    explain: () =>
      'Energy: the mean of |x| over all channels of a stage, x being its activations. Light places respond strongly.',
    show: (run, i) => ({
      values: energyMap(run.stages[i]),
      table: SEQUENTIAL,
      range: energyRange(run, i),
      unit: 'mean |x| over the channels',
      symbol: 'mean |x|',
    }),
  },
  pca: {
    title: 'PCA',
    explain: () =>
      'PCA: similar colours are similar features, within a stage. Recipe: subtract each channel’s mean over the ' +
      'cells; take the three directions of largest variance; turn each so that its largest loading is positive ' +
      '(within 1% of it, the lowest channel decides); show the 1st to 99th percentile of its scores as red, green ' +
      'and blue.',
    show: (run, i) => {
      const components = pcaOf(run.stages[i]);
      return { values: components.rgb, components, unit: 'scores; share of the variance' };
    },
  },
  channel: {
    title: 'Channel',
    explain: () =>
      'Channel: the activations x of one channel in each stage, red above zero and blue below. ' +
      'Choose it below the maps.',
    show: (run, i) => {
      const channel = channelOf(run, i);
      return {
        values: channelValues(run.stages[i], channel),
        table: DIVERGING,
        range: channelRange(run, i, channel),
        unit: `activation x of channel ${channel}`,
        symbol: 'x',
      };
    },
  },
  similarity: {
    title: 'Similarity',
    explain: () =>
      'Similarity: the cosine between the features of each place and of the place under the pointer, over all ' +
      'channels of a stage: 1 is the same direction, 0 a right angle, −1 the opposite. Click to pin the place, and ' +
      'read others against it.',
    show: () => ({ table: DIVERGING, range: [-1, 1], unit: 'cosine with the place', symbol: 'cosine' }),
  },
  disagreement: {
    title: 'Disagreement',
    explain: () =>
      'Disagreement: pool(x) − x, the mean of a place’s neighbourhood minus the place itself: what pooling adds to a ' +
      'block’s input, shown for the stage’s output. ' +
      (state.of === 'channel'
        ? 'Red: the neighbours are higher; blue: lower.'
        : 'Over all channels its magnitude is averaged: light places differ from their neighbours.'),
    show: (run, i) => {
      const channel = channelOf(run, i);
      return state.of === 'channel'
        ? {
            values: disagreementOfChannel(run.stages[i], channel),
            table: DIVERGING,
            range: channelDisagreementRange(run, i, channel),
            unit: `pool(x) − x of channel ${channel}`,
            symbol: 'pool(x) − x',
          }
        : {
            values: disagreementOfAll(run.stages[i]),
            table: SEQUENTIAL,
            range: disagreementRange(run, i),
            unit: 'mean |pool(x) − x| over the channels',
            symbol: 'mean |pool(x) − x|',
          };
    },
  },
  picture: {
    title: 'Picture',
    explain: () =>
      'Picture: what is left of it at each stage’s resolution, the mean of the pixels nearest to each cell.',
    show: (run, i) => ({ values: pictureAtStage(run, run.stages[i]), unit: 'of 255' }),
  },
};

/** Whether a range over one channel, over a stage, and a percentile mean anything in the current view. */
const showsOneChannel = () => state.view === 'channel' || (state.view === 'disagreement' && state.of === 'channel');
const rangeShown = () => (!showsOneChannel() && state.range === 'channel' ? 'stage' : state.range);
const hasRange = () => !['pca', 'similarity', 'picture'].includes(state.view);

const bandsOf = (map) => (map.table ? 1 : 3);

/** What the map says of its cell n, as text with its unit. */
const reading = (map, n) => {
  if (bandsOf(map) === 1) return `${map.symbol} = ${format(map.values[n])}`;
  const colour = Array.from(map.values.subarray(3 * n, 3 * n + 3));
  return state.view === 'picture'
    ? `${colour.map((share) => Math.round(255 * share)).join(', ')} of 255`
    : colour.map((share, k) => `${'RGB'[k]} ${share.toFixed(2)}`).join(', ');
};
