// A submission's page as it happens: progress and log arrive as server-sent events; when the state changes, the moving
// part is fetched anew by the refresh of ffasr.js. Without this file, or when the connection is lost, the page refreshes.

addEventListener("DOMContentLoaded", () => {
  const address = document.getElementById("live")?.dataset.events;
  if (!address || !("EventSource" in window)) return;
  const events = new EventSource(address);
  events.addEventListener("progress", ({ data }) => {
    const { stage, done, total, log } = JSON.parse(data);
    const bar = document.getElementById("progress");
    // A run that has just begun has no bar on the page yet.
    if (stage && !bar) return refresh();
    if (bar && stage) {
      bar.max = total;
      bar.value = done;
      document.getElementById("stage").textContent = stage;
      document.getElementById("done").textContent = `${done} of ${total}`;
    }
    const shown = document.getElementById("log");
    if (shown && log !== null && shown.textContent !== log) {
      const atEnd = shown.scrollTop + shown.clientHeight >= shown.scrollHeight - 4;
      shown.textContent = log;
      if (atEnd) shown.scrollTop = shown.scrollHeight;
    }
  });
  events.addEventListener("change", refresh);
});
