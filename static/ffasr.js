// Enhancements only: every page works without this file. It is small and loaded at once, so that a chosen theme is
// there before the first paint.

// The theme: as the system has it, or light, or dark. The choice stays in this browser.
const themes = ["system", "light", "dark"];

function theme() {
  try {
    const stored = localStorage.getItem("theme");
    return themes.includes(stored) ? stored : "system";
  } catch {
    return "system";
  }
}

function show(chosen) {
  if (chosen === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = chosen;
}

function offerThemes(button) {
  let chosen = theme();
  const label = () => { button.textContent = `Theme: ${chosen}`; };
  label();
  button.hidden = false;
  button.addEventListener("click", () => {
    chosen = themes[(themes.indexOf(chosen) + 1) % themes.length];
    try {
      localStorage.setItem("theme", chosen);
    } catch {
      // Without storage the choice holds until the page is left.
    }
    show(chosen);
    label();
  });
}

// A page that is still moving replaces its moving part, while it is looked at and not being worked in, and says
// so where its heading changed.
async function refresh() {
  const part = document.getElementById("live");
  const busy = part.contains(document.activeElement) || !getSelection().isCollapsed;
  if (document.hidden || busy || !part.dataset.refresh) return;
  const answer = await fetch(location.href, { headers: { accept: "text/html" } }).catch(() => null);
  if (!answer?.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("live");
  if (!fresh || fresh.innerHTML === part.innerHTML) return;
  const heading = (element) => element.querySelector("h2")?.textContent;
  const said = document.getElementById("said");
  if (said && heading(fresh) !== heading(part)) said.textContent = heading(fresh);
  part.replaceWith(fresh);
}

show(theme());
addEventListener("DOMContentLoaded", () => {
  offerThemes(document.getElementById("theme"));
  const seconds = Number(document.getElementById("live")?.dataset.refresh);
  if (seconds > 0) setInterval(refresh, seconds * 1000);
  // One box chooses all that are listed.
  const all = document.getElementById("choose-all");
  if (all) {
    all.hidden = false;
    all.addEventListener("change", () => {
      for (const box of document.getElementsByName("id")) box.checked = all.checked;
    });
  }
  // A weight shows its number beside its name.
  for (const slider of document.querySelectorAll(".weights input")) {
    const shown = document.createElement("output");
    const write = () => { shown.textContent = ` ${Number(slider.value).toFixed(1)}`; };
    slider.previousElementSibling.append(shown);
    slider.addEventListener("input", write);
    write();
  }
  // What went wrong with a form is what a reader wants first.
  document.getElementById("errors")?.focus();
});
