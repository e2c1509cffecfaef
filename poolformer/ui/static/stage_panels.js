const empty = element.querySelector('.empty');
const stages = element.querySelector('.stages');
const zoom = element.querySelector('.zoom');

const make = (tag, className, text) => {
  const node = document.createElement(tag);
  node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
};

const range = (figure) => {
  const line = make('div', 'range');
  const bar = make('img', 'bar');
  bar.src = figure.bar.url;
  bar.alt = `colours from ${figure.low} to ${figure.high}`;
  line.append(make('span', 'low', figure.low), bar, make('span', 'high', figure.high));
  return line;
};

const enlarge = (source, caption) => {
  const image = zoom.querySelector('img');
  image.src = source.src;
  image.alt = source.alt;
  zoom.querySelector('figcaption').textContent = caption;
  zoom.showModal();
};

const draw_figure = (stage, figure) => {
  const box = make('figure', 'figure');
  const button = make('button', 'picture');
  const image = make('img', 'map');
  image.src = figure.image.url;
  image.alt = `${stage.title}, ${figure.title}: ${figure.caption}`;
  button.type = 'button';
  button.title = 'Enlarge';
  button.append(image);
  button.addEventListener('click', () => enlarge(image, image.alt));
  const caption = make('figcaption', 'caption');
  caption.append(make('span', 'figure-title', figure.title), make('span', 'explanation', figure.caption));
  box.append(button);
  if (figure.bar) box.append(range(figure));
  box.append(caption);
  return box;
};

const draw_stage = (stage) => {
  const panel = make('section', 'stage');
  panel.setAttribute('aria-label', stage.title);
  const head = make('header', 'stage-head');
  head.append(make('h3', 'title', stage.title), make('p', 'shape', stage.shape), make('p', 'reach', stage.reach));
  panel.append(head, ...stage.figures.map((figure) => draw_figure(stage, figure)));
  return panel;
};

const draw = () => {
  const value = props.value || {};
  const drawn = value.stages || [];
  empty.hidden = drawn.length > 0;
  stages.replaceChildren(...drawn.map(draw_stage));
};

zoom.addEventListener('click', (event) => {
  if (event.target === zoom) zoom.close();
});
watch('value', draw);
draw();
