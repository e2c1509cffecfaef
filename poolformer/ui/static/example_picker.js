const thumbnails = element.querySelector('.thumbnails');

const build = (example, index) => {
  const button = document.createElement('button');
  const image = document.createElement('img');
  button.type = 'button';
  button.className = 'thumbnail';
  button.title = example.name;
  button.setAttribute('aria-label', `Example: ${example.name}`);
  image.src = example.image.url;
  image.alt = '';
  button.append(image);
  button.addEventListener('click', () => trigger('choose', { index }));
  return button;
};

const draw = () => {
  const value = props.value || {};
  thumbnails.replaceChildren(...(value.examples || []).map(build));
};

watch('value', draw);
draw();
