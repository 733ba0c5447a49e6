// The little that pages do themselves: colours, zone, keys, dialogs, counting times. Everything else comes drawn from the
// server. Nothing here knows a page.
(() => {
  "use strict";
  const root = document.documentElement, body = document.body;
  const keep = (name, value) => {
    document.cookie = `${name}=${encodeURIComponent(value)}; Path=/; Max-Age=31536000; SameSite=Strict` + (location.protocol === "https:" ? "; Secure" : "");
  };

  // The server writes times in the zone of this browser. It learns it here; the first page is asked for once more.
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone && body.dataset.zone !== zone) {
    keep("zone", zone);
    if (!sessionStorage.getItem("zone-told") && document.cookie.includes("zone=") && body.hasAttribute("hx-sse:connect")) {
      sessionStorage.setItem("zone-told", "1");
      location.reload();
    }
  }

  // Colours
  const themes = ["system", "light", "dark"];
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-toggle]");
    if (!button) return;
    const next = themes[(themes.indexOf(root.dataset.theme) + 1) % themes.length];
    root.dataset.theme = next;
    keep("theme", next);
    button.title = `Light, dark, or as the system (now: ${next})`;
    document.dispatchEvent(new CustomEvent("theme"));
  });

  // Times go on counting with the server's words.
  const rounded = (s) => s < 60 ? `${s} s` : s < 3600 ? `${Math.trunc(s / 60)} min` : s < 172800 ? `${Math.trunc(s / 3600)} h` : `${Math.trunc(s / 86400)} d`;
  const relative = (ms) => {
    const s = Math.trunc(ms / 1000), words = rounded(Math.abs(s));
    return Math.abs(s) < 5 ? "now" : s < 0 ? `${words} ago` : `in ${words}`;
  };
  const two = (n) => String(n).padStart(2, "0");
  const duration = (ms) => {
    ms = Math.max(0, ms);
    const s = Math.trunc(ms / 1000);
    if (s < 10) return `${s}.${Math.trunc(ms % 1000 / 100)} s`;
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.trunc(s / 60)} min ${two(s % 60)} s`;
    if (s < 86400) return `${Math.trunc(s / 3600)} h ${two(Math.trunc(s % 3600 / 60))} min`;
    return `${Math.trunc(s / 86400)} d ${two(Math.trunc(s % 86400 / 3600))} h`;
  };
  const say = (node, text) => { if (node.textContent !== text) node.textContent = text; };
  const count = () => {
    if (document.hidden) return;
    const now = Date.now();
    for (const node of document.querySelectorAll("time[data-relative]")) say(node, relative(Date.parse(node.dateTime) - now));
    for (const node of document.querySelectorAll("[data-since]")) say(node, duration(now - Date.parse(node.dataset.since)));
  };
  setInterval(count, 1000);

  // Word of changes: lost, found again. The server tells what was missed meanwhile.
  const lost = document.getElementById("lost");
  let down = false, listens = false;
  document.addEventListener("htmx:sse:error", (event) => {
    // Whoever was signed out meanwhile is asked to sign in.
    if (event.detail.status === 401) return location.reload();
    down = true;
    lost.hidden = false;
  });
  document.addEventListener("htmx:sse:after:connection", () => {
    listens = true;
    lost.hidden = true;
    down = false;
  });
  // A connection that was there once is made again by the extension; the first one is asked for here until it is there.
  document.addEventListener("htmx:finally:request", (event) => {
    const { sourceElement, request: { action }, response } = event.detail.ctx;
    if (sourceElement !== body || !action.startsWith("/events") || listens || response?.status === 401) return;
    lost.hidden = false;
    setTimeout(() => { if (!listens) htmx.ajax("GET", action, { source: body }); }, 1000 + 2000 * Math.random());
  });
  document.addEventListener("htmx:error", (event) => {
    const ctx = event.detail.ctx;
    if (ctx && !ctx.response) lost.hidden = false;
  });
  document.addEventListener("htmx:after:request", (event) => {
    const response = event.detail.ctx.response;
    if (!response || response.status >= 400) return;
    if (!down) lost.hidden = true;
    document.getElementById("problem").replaceChildren();
  });

  // A live part asks with the filters it shows when the request leaves, not with those of when it was put in line.
  document.addEventListener("htmx:before:request", (event) => {
    const ctx = event.detail.ctx, live = ctx.sourceElement;
    if (live?.dataset?.live !== undefined) ctx.request.action = live.getAttribute("hx-get");
  });

  // Dialogs: what is put into one opens it; a change that went well closes it.
  const dialog = document.getElementById("dialog"), toasts = document.getElementById("toasts");
  document.addEventListener("htmx:after:swap", () => {
    if (dialog.childElementCount && !dialog.open) dialog.showModal();
    // Words at the edge must be above the dialog, which is above everything. What is put into it anew takes them out.
    if (dialog.open && toasts.parentNode !== dialog) dialog.append(toasts);
    expire();
  });
  // The browser tells of a closed dialog some time later: what is swapped in until then must not find its old content, which
  // would open it again.
  const emptied = () => { body.append(toasts); dialog.replaceChildren(); };
  const shut = () => { if (dialog.open) { dialog.close(); emptied(); } };
  dialog.addEventListener("close", () => { if (!dialog.open) emptied(); });
  body.addEventListener("done", () => {
    shut();
    for (const box of document.querySelectorAll("table input[type=checkbox]:checked")) box.checked = false;
    bars();
  });
  document.addEventListener("click", (event) => {
    const closes = event.target.closest("[data-close]");
    if (closes) {
      event.preventDefault();
      const box = closes.closest("dialog");
      if (box === dialog) shut(); else box?.close();
    }
    if (event.target.closest("[data-help]")) document.getElementById("help").showModal();
    if (event.target === dialog) shut();
  });

  // Output that is read at its end stays there when more comes.
  const atEnd = new WeakMap();
  document.addEventListener("scroll", (event) => {
    const box = event.target;
    if (box.dataset?.follow !== undefined) atEnd.set(box, box.scrollHeight - box.scrollTop - box.clientHeight < 24);
  }, true);
  const follow = () => {
    for (const box of document.querySelectorAll("[data-follow]")) if (atEnd.get(box) !== false) box.scrollTop = box.scrollHeight;
  };
  document.addEventListener("htmx:after:swap", follow);
  follow();

  // Words at the edge go by themselves, errors later.
  const expire = () => {
    for (const toast of toasts.querySelectorAll(".toast:not([data-seen])")) {
      toast.dataset.seen = "1";
      setTimeout(() => toast.remove(), toast.classList.contains("error") ? 12000 : 5000);
    }
  };
  expire();

  // Copying
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
    } catch {
      const range = document.createRange();
      range.selectNodeContents(button.previousElementSibling ?? button);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });

  // Boxes of a table: all of them, and the bar that acts on them.
  document.addEventListener("change", (event) => {
    const all = event.target.closest("[data-check-all]");
    if (all) for (const box of all.closest("table").querySelectorAll("tbody input[type=checkbox]")) box.checked = all.checked;
    bars();
  });
  const bars = () => {
    for (const bar of document.querySelectorAll("[data-bulk]")) {
      const ticked = document.querySelectorAll(`input[form="${bar.dataset.bulk}"][type=checkbox]:checked`).length;
      bar.hidden = ticked === 0;
      const number = bar.querySelector("[data-count]");
      if (number) number.textContent = ticked;
    }
  };
  document.addEventListener("htmx:after:swap", bars);
  bars();

  // Keys
  let going = 0;
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (typing) { if (event.key === "Escape") event.target.blur(); return; }
    if (document.querySelector("dialog[open]")) return;
    if (going && Date.now() - going < 1500) {
      going = 0;
      const tab = document.querySelector(`.tabs a[data-key="${CSS.escape(event.key)}"]`);
      if (tab) { event.preventDefault(); location.assign(tab.href); }
      return;
    }
    const act = {
      "/": () => document.querySelector("[data-search]")?.focus(),
      "?": () => document.getElementById("help").showModal(),
      "g": () => { going = Date.now(); },
      "j": () => step(1),
      "k": () => step(-1),
      "Enter": () => {
        if (event.target !== body) return false;
        const row = document.querySelector("tr.at a");
        if (!row) return false;
        row.click();
      },
    }[event.key];
    if (act && act() !== false) event.preventDefault();
  });
  const step = (by) => {
    const rows = [...document.querySelectorAll("tbody tr[id]")];
    if (!rows.length) return;
    const at = rows.findIndex((row) => row.classList.contains("at"));
    const next = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
    rows.forEach((row) => row.classList.toggle("at", row === next));
    next.scrollIntoView({ block: "nearest" });
  };
})();
