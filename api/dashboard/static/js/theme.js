// @ts-check
// Runs before the page is drawn: the reader's own choice of theme, if any.
{
  const chosen = localStorage.getItem("theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
}
