'use strict';
// What the explorer is set to, and the small helpers that every part of it uses.

const root = element.querySelector('.stage-explorer');
const find = (selector) => root.querySelector(selector);

const DEFAULTS = Object.freeze({
  view: 'energy',
  of: 'channel', // what disagreement is shown of: one channel, or all of them
  stage: 0,
  sort: 'energy',
  range: 'channel',
  clip: 99.5,
});

const state = {
  ...DEFAULTS,
  channels: [], // of each stage: the channel that was chosen; none stands for the strongest
  classIndex: null, // whose logit contributions are about; null stands for the most probable class
  reference: 'own', // what the other picture is compared with: its own place, or the place that is pointed at
  place: null, // {x, y}: fractions of the picture's width and height
  pinned: false, // the place stays whatever the pointer does
  probe: null, // where the pointer reads similarity to the pinned place
  pointed: { row: null, i: null }, // the row and the stage (null: the picture) that were pointed at last
};

const make = (tag, className, text) => {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** Three significant digits, with a real minus sign. */
const format = (value) => {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  const isExtreme = size !== 0 && (size < 1e-3 || size >= 1e5);
  const text = isExtreme ? value.toExponential(1) : String(Number(value.toPrecision(3)));
  return text.replaceAll('-', '−');
};

const percent = (share) => `${format(100 * share)}%`;

/** One frame draws everything that was asked for since the last one. */
const wanted = new Set();
let frameAsked = 0;
const ask = (...parts) => {
  for (const part of parts) wanted.add(part);
  frameAsked ||= requestAnimationFrame(drawFrame);
};

const say = (sentence) => {
  find('.note').textContent = sentence;
};
