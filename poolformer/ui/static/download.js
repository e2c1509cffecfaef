const line = element.querySelector('.download');
const link = element.querySelector('.link');

const draw = () => {
  const value = props.value || {};
  line.hidden = !value.file;
  if (line.hidden) return;
  link.href = value.file.url;
  link.download = value.name;
  link.textContent = value.name;
  element.querySelector('.size').textContent = `(${value.size})`;
};

// Only what arrives while the page is open is saved by itself: drawn again, an old value is a line of text.
watch('value', () => {
  draw();
  if (!line.hidden) link.click();
});
draw();
