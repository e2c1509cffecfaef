// Pointing: by mouse, pen and finger, and by keyboard, on any map. All listeners are the component's own element's.

/** What is under the pointer: its figure and the place of the picture that it stands for. */
const underPointer = (event) => {
  const figure = figureOf.get(event.target.closest?.('.frame'));
  if (!figure?.row?.run) return null;
  const box = figure.frame.getBoundingClientRect();
  const x = clamp((event.clientX - box.left) / box.width, 0, 1);
  const y = clamp((event.clientY - box.top) / box.height, 0, 1);
  if (figure.i === null) return { figure, at: { x, y } };
  const stage = figure.row.run.stages[figure.i];
  const col = Math.min(Math.floor(x * stage.width), stage.width - 1);
  const row = Math.min(Math.floor(y * stage.height), stage.height - 1);
  return { figure, at: centreOf(figure.row.run, stage, row * stage.width + col) };
};

/** Whether two places lie in the same cells everywhere. */
const isSamePlace = (a, b) =>
  a && b
    ? rowsShown().every(({ run }) => run.stages.every((stage) => cellAt(run, stage, a) === cellAt(run, stage, b)))
    : a === b;

const moveTo = (name, at, figure) => {
  const { row, i } = state.pointed;
  if (isSamePlace(state[name], at) && (!figure || (row === figure.row && i === figure.i))) return;
  state[name] = at;
  if (figure) state.pointed = { row: figure.row, i: figure.i };
  ask('place');
  if (state.pinned) ask('link');
};

const letGo = () => {
  const had = state.place !== null;
  state.pinned = false;
  moveTo('probe', null);
  moveTo('place', null);
  return had;
};

/** The pointer moves the place; once that is pinned, it only reads how similar others are to it. A finger drags it. */
const follow = (event) => {
  const under = underPointer(event);
  const isDragged = event.type === 'pointermove' && event.pointerType === 'touch';
  if (under && (isDragged || !state.pinned)) moveTo('place', under.at, under.figure);
  else if (under && state.view === 'similarity') moveTo('probe', under.at, under.figure);
  else if (!under) leave(event);
};

const leave = (event) => {
  if (event.pointerType === 'touch') return; // a finger that is lifted has not pointed elsewhere
  moveTo('probe', null);
  if (!state.pinned && state.view !== 'similarity') moveTo('place', null);
};

const pinAt = (at, figure) => {
  const isUnpinned = state.pinned && isSamePlace(state.place, at);
  state.probe = null;
  state.pinned = !isUnpinned;
  moveTo('place', at, figure);
  ask('place', 'link');
};

root.addEventListener('pointermove', follow);
root.addEventListener('pointerleave', leave);
root.addEventListener('pointerdown', (event) => {
  if (event.pointerType === 'touch') follow(event);
});
root.addEventListener('click', (event) => {
  const under = underPointer(event);
  if (under) pinAt(under.at, under.figure);
});

/** The stage whose cells the arrow keys step over: the figure's own, in the picture the chosen one. */
const steppedStage = (figure) => figure.row.run.stages[figure.i ?? state.stage] || figure.row.run.stages.at(-1);

/** Where a key leads from (row, col): one cell, one end of the line, a quarter of the map, or a corner. */
const stepFrom = (event, row, col, { height, width }) => {
  const quarter = Math.max(Math.round(height / 4), 1);
  const steps = {
    ArrowUp: [row - 1, col],
    ArrowDown: [row + 1, col],
    ArrowLeft: [row, col - 1],
    ArrowRight: [row, col + 1],
    PageUp: [row - quarter, col],
    PageDown: [row + quarter, col],
    Home: [event.ctrlKey ? 0 : row, 0],
    End: [event.ctrlKey ? height - 1 : row, width - 1],
  };
  const step = steps[event.key];
  return step && clamp(step[0], 0, height - 1) * width + clamp(step[1], 0, width - 1);
};

const pressOnMap = (event, figure) => {
  const { run } = figure.row;
  const stage = steppedStage(figure);
  const n = cellAt(run, stage, state.place || CENTRE);
  if (event.key === 'Enter' || event.key === ' ') pinAt(centreOf(run, stage, n), figure);
  else {
    const next = stepFrom(event, Math.floor(n / stage.width), n % stage.width, stage);
    if (next === undefined || event.altKey || event.metaKey) return;
    state.probe = null;
    moveTo('place', centreOf(run, stage, next), figure);
  }
  ask('announcement');
  event.preventDefault();
};

root.addEventListener('keydown', (event) => {
  const figure = figureOf.get(event.target.closest('.frame'));
  if (event.key === 'Escape' && letGo()) ask('link', 'announcement');
  else if (figure?.row?.run) pressOnMap(event, figure);
});

root.addEventListener('focusin', (event) => {
  const figure = figureOf.get(event.target.closest('.frame'));
  if (figure && figure.i !== null) chooseStage(figure.i);
});

/** For a screen reader, after a key: where the place is, and the values there, the focused stage's first. */
const announce = () => {
  const { row, i } = state.pointed;
  const text = find('.announcement');
  if (!state.place || !row?.run) {
    text.textContent = 'No place is chosen.';
    return;
  }
  const first = i ?? state.stage;
  const figures = [...row.figures].sort((a, b) => Number(b.i === first) - Number(a.i === first));
  const values = figures.map((figure) => `stage ${figure.i + 1}: ${figure.value.textContent}`);
  text.textContent = `${state.pinned ? 'Pinned. ' : ''}${figures[0].where.textContent}. ${values.join('; ')}`;
};
