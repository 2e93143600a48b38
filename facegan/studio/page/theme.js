// A classic script in the head, so that the chosen theme is there before the first picture of the page.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // storage is switched off: the page follows the system
}
