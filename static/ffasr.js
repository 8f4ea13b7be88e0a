// Enhancements only: every page works without this file.

// The theme: as the system has it, or light, or dark. The choice stays in this browser.
const root = document.documentElement;
const themes = ["system", "light", "dark"];
const button = document.getElementById("theme");

function stored() {
  try {
    const theme = localStorage.getItem("theme");
    return themes.includes(theme) ? theme : "system";
  } catch {
    return "system";
  }
}

function apply(theme) {
  if (theme === "system") delete root.dataset.theme;
  else root.dataset.theme = theme;
  if (button) button.textContent = `Theme: ${theme}`;
}

apply(stored());
if (button) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const next = themes[(themes.indexOf(stored()) + 1) % themes.length];
    try {
      localStorage.setItem("theme", next);
    } catch {
      // Without storage the choice holds until the page is left.
    }
    apply(next);
  });
}

// A page that is still moving replaces its moving part, while it is looked at and not being worked in.
const live = document.getElementById("live");
const seconds = Number(live?.dataset.refresh);
if (seconds > 0) {
  setInterval(async () => {
    const part = document.getElementById("live");
    const busy = part.contains(document.activeElement) || !getSelection().isCollapsed;
    if (document.hidden || busy || !part.dataset.refresh) return;
    const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
    if (!answer?.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("live");
    if (fresh && fresh.innerHTML !== part.innerHTML) part.replaceWith(fresh);
  }, seconds * 1000);
}

// What went wrong with a form is what a reader wants first.
document.getElementById("errors")?.focus();
