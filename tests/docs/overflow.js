// What is wrong with the page as it is laid out: a page wider than the window, text that is cut, pictures that did not load.
// Text in boxes that scroll by themselves is not cut; the box of the whole page is none of them.
const done = arguments[arguments.length - 1];

function look() {
  const found = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth + 1) found.push(`page is ${root.scrollWidth} wide in ${root.clientWidth}`);

  const shown = (element) => {
    const style = getComputedStyle(element);
    return element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && style.clipPath === "none";
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const range = document.createRange();
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.data.trim() || !node.parentElement || !shown(node.parentElement)) continue;
    if (node.parentElement.closest("script, style, noscript, mjx-assistive-mml, .visually-hidden, .sr-only, .skip-link")) continue;
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    let clipped = null, scrolls = false;
    for (let e = node.parentElement; e && e !== document.body; e = e.parentElement) {
      const style = getComputedStyle(e), edge = e.getBoundingClientRect();
      if (["auto", "scroll"].includes(style.overflowX) && !e.querySelector("h1")) { scrolls = true; break; }
      if (["hidden", "clip"].includes(style.overflowX) && (box.right > edge.right + 1 || box.left < edge.left - 1)) clipped = e;
      if (["hidden", "clip"].includes(style.overflowY) && (box.bottom > edge.bottom + 4 || box.top < edge.top - 4)) clipped = e;
      if (style.position === "fixed") break;
    }
    const text = node.data.trim().slice(0, 60);
    if (clipped) found.push(`text is cut by <${clipped.tagName.toLowerCase()} class="${clipped.className}">: ${text}`);
    else if (!scrolls && (box.right > root.clientWidth + 1 || box.left < -1)) found.push(`text runs out of the window: ${text}`);
  }
  for (const picture of document.images)
    if (shown(picture) && picture.complete && picture.naturalWidth === 0) found.push(`picture is missing: ${picture.src}`);
  done(found);
}

const set = window.MathJax && window.MathJax.startup && window.MathJax.startup.promise;
const fonts = document.fonts ? document.fonts.ready : Promise.resolve();
document.querySelectorAll("img").forEach((picture) => picture.setAttribute("loading", "eager"));
Promise.all([set || Promise.resolve(), fonts])
  .then(() => Promise.all([...document.images].map((picture) => picture.decode().catch(() => null))))
  .then(() => requestAnimationFrame(() => look()))
  .catch((error) => done([`script failed: ${error}`]));
