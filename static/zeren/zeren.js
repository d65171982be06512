/* 责任 Zeren – what pages do in the browser. No build, no inline code, no dependency (htmx is used when present).
   Everything hangs on data attributes; docs/design-kit.md lists them. Without this file every page still works,
   except for live updates. */
(function () {
  "use strict";

  var doc = document, root = doc.documentElement, body = doc.body;
  root.classList.add("js");

  // ---- small helpers ---------------------------------------------------------------------------------------------
  var wordsNode = doc.getElementById("zr-words");
  function word(key, values) {
    var text = (wordsNode && wordsNode.dataset[key]) || "";
    Object.keys(values || {}).forEach(function (name) { text = text.replace("{" + name + "}", values[name]); });
    return text;
  }
  function all(selector, within) { return Array.prototype.slice.call((within || doc).querySelectorAll(selector)); }
  function make(tag, className, text) {
    var node = doc.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined && text !== null) node.textContent = text;
    return node;
  }
  function icon(name) {
    var ns = "http://www.w3.org/2000/svg", svg = doc.createElementNS(ns, "svg"), use = doc.createElementNS(ns, "use");
    svg.setAttribute("class", "zr-icon"); svg.setAttribute("aria-hidden", "true");
    use.setAttribute("href", ((wordsNode && wordsNode.dataset.icons) || "") + "#" + name);
    svg.appendChild(use);
    return svg;
  }
  function csrf(form) {
    var input = (form || doc).querySelector("input[name=csrfmiddlewaretoken]");
    var meta = doc.querySelector("meta[name=csrf-token]");
    return (input && input.value) || (meta && meta.content) || "";
  }
  function emit(node, name, detail) { node.dispatchEvent(new CustomEvent(name, { bubbles: true, detail: detail || {} })); }
  function clock(date) { return ("0" + date.getHours()).slice(-2) + ":" + ("0" + date.getMinutes()).slice(-2); }
  function bytes(n) { return n < 1048576 ? Math.ceil(n / 1024) + " KB" : (n / 1048576).toFixed(1).replace(/\.0$/, "") + " MB"; }
  function safeUrl(raw) {
    if (!raw) return null;
    try {
      var url = new URL(raw, location.href);
      return url.origin === location.origin && /^https?:$/.test(url.protocol) ? url.href : null;
    } catch (error) { return null; }
  }
  var memory = {
    get: function (key) { try { return sessionStorage.getItem(key); } catch (error) { return null; } },
    set: function (key, value) { try { sessionStorage.setItem(key, value); } catch (error) { /* private mode */ } }
  };

  // ---- toasts ----------------------------------------------------------------------------------------------------
  var LEVEL_ICONS = { info: "bell-fill", success: "check-circle-fill", warning: "exclamation-triangle-fill", danger: "exclamation-octagon-fill" };
  function levelOf(raw) {
    var level = String(raw || "info").toLowerCase();
    if (level === "red" || level === "error") level = "danger";
    if (level === "amber" || level === "yellow") level = "warning";
    if (level === "green") level = "success";
    return LEVEL_ICONS[level] ? level : "info";
  }
  function toast(item) {
    var box = doc.querySelector("[data-toasts]");
    if (!box) return null;
    var level = levelOf(item.level), node = make("div", "zr-toast zr-toast--" + level);
    var head = make("div", "zr-toast-title"), link = safeUrl(item.url);
    head.appendChild(make("span", "zr-toast-level", word("level" + level.charAt(0).toUpperCase() + level.slice(1))));
    var title = make(link ? "a" : "span", "", item.title || "");
    if (link) title.href = link;
    head.appendChild(title);
    var close = make("button", "zr-iconbtn zr-toast-close");
    close.type = "button"; close.setAttribute("aria-label", word("close")); close.appendChild(icon("x-lg"));
    close.addEventListener("click", function () { node.remove(); });
    node.appendChild(icon(LEVEL_ICONS[level])); node.appendChild(head); node.appendChild(close);
    if (item.body) node.appendChild(make("div", "zr-toast-body", item.body));
    box.appendChild(node);
    while (box.children.length > 4) box.firstElementChild.remove();
    if (level !== "danger" && !item.stay) {
      // It goes by itself, but never while somebody reads it; a red one stays until it is closed.
      var timer, start = function () { timer = setTimeout(function () { node.remove(); }, 10000); }, stop = function () { clearTimeout(timer); };
      node.addEventListener("mouseenter", stop); node.addEventListener("mouseleave", start);
      node.addEventListener("focusin", stop); node.addEventListener("focusout", start);
      start();
    }
    return node;
  }

  // ---- counts: bell, tab title, tab icon -------------------------------------------------------------------------
  var plainTitle = doc.title.replace(/^\(\d+\) /, "");
  var tabIcon = doc.querySelector("[data-favicon]"), calmIcon = tabIcon && tabIcon.getAttribute("href");
  function showLate(late) {
    doc.title = (late > 0 ? "(" + late + ") " : "") + plainTitle;
    if (tabIcon) tabIcon.setAttribute("href", late > 0 ? tabIcon.dataset.alertHref : calmIcon);
  }
  function showUnread(unread) {
    all("[data-unread]").forEach(function (node) { node.textContent = unread > 99 ? "99+" : unread; node.hidden = !(unread > 0); });
  }
  showLate(parseInt(body.dataset.late, 10) || 0);

  // ---- the live channel ------------------------------------------------------------------------------------------
  // The socket only says "look"; what there is to see always comes from the server by number, so nothing is lost
  // while the line is down, and nothing is shown twice.
  function startLive() {
    var sinceUrl = body.dataset.sinceUrl || "/notifications/since/";
    var key = "zeren:seen:" + (body.dataset.user || ""), known = null;
    try { known = JSON.parse(memory.get(key)); } catch (error) { /* not ours */ }
    // Rows get their number before they are committed, so number 44 may turn up after 45 was read: every look goes a
    // little further back, and what was already seen is left out by number.
    var OVERLAP = 10, given = body.dataset.lastNotification, first = !known;
    var silentFirst = first && (given === undefined || given === "");
    var last = known ? known.last : Number(given) || 0, seen = known ? known.seen : [];
    var socket = null, tries = 0, timer = null, busy = false, again = false, stopped = false, lastSync = 0, full = false;

    function state(name) {
      all("[data-live-state]").forEach(function (node) {
        if (node.dataset.liveState === name) return;
        node.dataset.liveState = name;
        var label = node.querySelector("[data-live-word]");
        if (label) label.textContent = word(name);
        if (node.dataset.plainTitle === undefined) node.dataset.plainTitle = node.title;
        node.title = word(name + "Hint") || node.dataset.plainTitle;
      });
    }
    function stop() { stopped = true; clearTimeout(timer); if (socket) socket.close(); state("signedout"); }

    function sync() {
      if (stopped) return;
      if (busy) { again = true; return; }
      busy = true; again = false;
      fetch(sinceUrl + (sinceUrl.indexOf("?") < 0 ? "?" : "&") + "after=" + Math.max(0, last - OVERLAP), {
        credentials: "same-origin", cache: "no-store", headers: { "Accept": "application/json", "X-Requested-With": "XMLHttpRequest" }
      }).then(function (response) {
        if (response.redirected || response.status === 401 || response.status === 403) { stop(); return null; }
        if (!response.ok) throw new Error(String(response.status));
        return response.json();
      }).then(function (data) {
        if (!data) return;
        lastSync = Date.now();
        var base = last, items = (data.items || []).filter(function (item) { return seen.indexOf(Number(item.id)) < 0; });
        items.sort(function (a, b) { return Number(a.id) - Number(b.id); });
        items.forEach(function (item) { seen.push(Number(item.id)); last = Math.max(last, Number(item.id)); });
        seen = seen.slice(-60);
        memory.set(key, JSON.stringify({ last: last, seen: seen }));
        // The first look of a session: what the page already knew of is not news.
        if (first) items = items.filter(function (item) { return Number(item.id) > base; });
        first = false;
        showUnread(Number(data.unread) || 0);
        showLate(Number(data.late) || 0);
        if (!silentFirst && items.length) {
          // A phone shows one, the gravest; the rest is one line that opens the list.
          var weight = { danger: 3, warning: 2, info: 1, success: 0 }, room = window.innerWidth < 700 ? 1 : 3;
          var shown = items.slice().sort(function (a, b) { return weight[levelOf(b.level)] - weight[levelOf(a.level)] || Number(b.id) - Number(a.id); }).slice(0, room).reverse();
          if (items.length > room) {
            var bell = doc.querySelector("a.zr-bell");
            toast({ level: "info", title: word("more", { n: items.length - room }), url: bell && bell.href });
          }
          shown.forEach(toast);
          emit(body, "zeren:notification", { items: items, unread: data.unread, late: data.late });
        }
        silentFirst = false;
      }).catch(function () { /* the next poke, reconnect or slow poll asks again */ }).then(function () {
        busy = false;
        if (again) setTimeout(sync, 300);
      });
    }

    function connect() {
      if (stopped) return;
      clearTimeout(timer);
      var scheme = location.protocol === "https:" ? "wss://" : "ws://";
      try { socket = new WebSocket(scheme + location.host + (body.dataset.liveUrl || "/ws/live/")); } catch (error) { retry(); return; }
      var mine = socket;
      mine.onopen = function () { tries = 0; full = false; state("live"); sync(); };
      mine.onmessage = function (event) {
        var message = null;
        try { message = JSON.parse(event.data); } catch (error) { return; }
        if (message && message.type === "poke") sync();
      };
      mine.onclose = function (event) {
        if (mine !== socket) return;
        socket = null;
        if (event.code === 4401 || event.code === 4403) { stop(); return; }
        // Too many pages of one person are open: knocking again would only be refused again. The slow look goes on.
        if (event.code === 4008) { full = true; state("livefull"); return; }
        retry();
      };
    }
    function retry() {
      if (stopped) return;
      state("offline");
      // 1, 2, 4 … 30 s, each drawn at random from its upper half: after a restart not every office knocks at once.
      var ceiling = Math.min(30000, 1000 * Math.pow(2, Math.min(tries, 5)));
      tries += 1;
      timer = setTimeout(connect, Math.max(1000, ceiling / 2 + Math.random() * ceiling / 2));
    }

    connect();
    sync();
    setInterval(function () {
      // Where a proxy lets no socket through, or has dropped it without a word: ask slowly, and only in a tab that is looked at.
      var down = !socket || socket.readyState !== 1;
      if (!doc.hidden && Date.now() - lastSync > (down ? 55000 : 290000)) sync();
    }, 30000);
    doc.addEventListener("visibilitychange", function () {
      if (doc.hidden) return;
      if (!socket && !full) { tries = 0; connect(); }
      if (Date.now() - lastSync > 20000) sync();
    });
    window.addEventListener("online", function () { if (!socket && !full) { tries = 0; connect(); } });
    window.addEventListener("pagehide", function () { if (socket) socket.close(); });
    window.addEventListener("pageshow", function (event) { if (event.persisted && !socket) { tries = 0; connect(); } });
  }
  if (body.dataset.live === "1" && "WebSocket" in window) startLive();

  // ---- confirm: data-confirm="…" and hx-confirm ------------------------------------------------------------------
  function ask(text, yesText) {
    var dialog = doc.querySelector("[data-confirm-dialog]");
    if (!dialog || typeof dialog.showModal !== "function") return Promise.resolve(window.confirm(text));
    return new Promise(function (resolve) {
      dialog.querySelector("[data-confirm-text]").textContent = text;
      var yes = dialog.querySelector("[data-confirm-yes]");
      if (!yes.dataset.plain) yes.dataset.plain = yes.textContent;
      yes.textContent = yesText || yes.dataset.plain;
      dialog.returnValue = "";
      dialog.addEventListener("close", function () { resolve(dialog.returnValue === "ok"); }, { once: true });
      dialog.showModal();
      dialog.querySelector("[data-confirm-no]").focus();
    });
  }
  doc.addEventListener("click", function (event) {
    var node = event.target.closest && event.target.closest("a[data-confirm], button[data-confirm], input[data-confirm]");
    if (!node || node.dataset.confirmed) return;
    event.preventDefault(); event.stopImmediatePropagation();
    ask(node.dataset.confirm, node.dataset.confirmYes).then(function (yes) {
      if (!yes) return;
      node.dataset.confirmed = "1"; node.click(); delete node.dataset.confirmed;
    });
  }, true);
  doc.addEventListener("submit", function (event) {
    var form = event.target, submitter = event.submitter;
    if (!form.dataset.confirm || form.dataset.confirmed) return;
    event.preventDefault(); event.stopImmediatePropagation();
    ask(form.dataset.confirm, form.dataset.confirmYes).then(function (yes) {
      if (!yes) return;
      form.dataset.confirmed = "1";
      if (form.requestSubmit) form.requestSubmit(submitter || undefined); else form.submit();
      delete form.dataset.confirmed;
    });
  }, true);
  doc.addEventListener("htmx:confirm", function (event) {
    if (!event.detail.question) return;
    event.preventDefault();
    ask(event.detail.question).then(function (yes) { if (yes) event.detail.issueRequest(true); });
  });

  // ---- double submit: form[data-once] ----------------------------------------------------------------------------
  function release(form) {
    delete form.dataset.sent;
    all(".is-busy", form).concat(all("[data-was-enabled]", form)).forEach(function (button) {
      button.classList.remove("is-busy"); button.removeAttribute("aria-busy");
      if (button.dataset.wasEnabled) { button.disabled = false; delete button.dataset.wasEnabled; }
    });
  }
  doc.addEventListener("submit", function (event) {
    var form = event.target;
    if (!("once" in form.dataset) || event.defaultPrevented && !form.matches("[hx-post],[hx-put],[hx-patch],[hx-delete]")) return;
    if (form.dataset.sent) { event.preventDefault(); event.stopImmediatePropagation(); return; }
    form.dataset.sent = "1";
    var submitter = event.submitter;
    setTimeout(function () {
      // After the browser has collected the form, so that the pressed button's own name and value are sent.
      all("button[type=submit], button:not([type]), input[type=submit]", form).forEach(function (button) {
        if (!button.disabled) { button.disabled = true; button.dataset.wasEnabled = "1"; }
      });
      if (submitter) { submitter.classList.add("is-busy"); submitter.setAttribute("aria-busy", "true"); }
    }, 0);
    setTimeout(function () { release(form); }, 30000);
  });
  window.addEventListener("pageshow", function () { all("form[data-once]").forEach(release); });
  doc.addEventListener("htmx:afterRequest", function (event) {
    var form = event.target.closest && event.target.closest("form[data-once]");
    if (form) release(form);
  });

  // ---- autosaved draft: form[data-autosave-url] ------------------------------------------------------------------
  function autosave(form) {
    if (form.zrAutosave) return;
    var status = form.querySelector("[data-autosave-status]") || form.appendChild(make("span", ""));
    status.classList.add("zr-saved"); status.setAttribute("role", "status");
    var saved = snapshot(), timer = null, sending = false, dirty = false, wait = 1500, leaving = false;

    function snapshot() {
      var map = {};
      new FormData(form).forEach(function (value, name) {
        if (value instanceof File || name === "csrfmiddlewaretoken") return;
        (map[name] = map[name] || []).push(value);
      });
      return map;
    }
    function changed(now) {
      return Object.keys(Object.assign({}, saved, now)).filter(function (name) { return JSON.stringify(saved[name] || []) !== JSON.stringify(now[name] || []); });
    }
    function say(state, text) { status.dataset.state = state; status.textContent = text; }
    function payload(now, names) {
      var data = new URLSearchParams();
      names.forEach(function (name) { (now[name] && now[name].length ? now[name] : [""]).forEach(function (value) { data.append(name, value); }); });
      data.append("_fields", names.join(","));
      data.append("csrfmiddlewaretoken", csrf(form));
      return data;
    }
    function save(keepalive) {
      clearTimeout(timer);
      var now = snapshot(), names = changed(now);
      if (!names.length) { dirty = false; if (status.dataset.state === "unsaved") say("saved", word("saved")); return; }
      if (sending && !keepalive) { schedule(); return; }
      sending = true;
      say("saving", word("saving"));
      fetch(form.dataset.autosaveUrl, {
        method: "POST", credentials: "same-origin", keepalive: !!keepalive, body: payload(now, names),
        headers: { "X-CSRFToken": csrf(form), "X-Requested-With": "XMLHttpRequest", "Accept": "application/json" }
      }).then(function (response) {
        if (response.redirected || response.status === 401) throw { text: word("expired"), final: true };
        if (response.ok) return;
        return response.json().catch(function () { return {}; }).then(function (data) {
          throw { text: data.error || (response.status === 409 ? word("conflict") : response.status === 403 ? word("forbidden") : word("server", { code: response.status })), final: response.status < 500 };
        });
      }).then(function () {
        saved = Object.assign({}, saved);
        names.forEach(function (name) { saved[name] = now[name]; });
        wait = 1500;
        dirty = changed(snapshot()).length > 0;
        if (dirty) { say("unsaved", word("unsaved")); schedule(); } else say("saved", word("saved") + " " + clock(new Date()));
        emit(form, "zeren:saved");
      }).catch(function (problem) {
        dirty = true;
        say("failed", problem && problem.text ? word("failed", { why: problem.text }) : word("network"));
        if (!(problem && problem.final)) { wait = Math.min(30000, wait * 2); schedule(); }
      }).then(function () { sending = false; });
    }
    function schedule() { clearTimeout(timer); timer = setTimeout(save, wait); }
    function touched(event) {
      if (event.target && event.target.type === "file") return;
      leaving = false;
      dirty = changed(snapshot()).length > 0;
      if (dirty && status.dataset.state !== "failed") say("unsaved", word("unsaved"));
      wait = 1500;
      schedule();
    }
    form.addEventListener("input", touched);
    form.addEventListener("change", touched);
    form.addEventListener("submit", function (event) {
      if (event.defaultPrevented) return;
      clearTimeout(timer);
      leaving = true;
      // A button that goes elsewhere (remove a file) must not lose what was just typed.
      if (event.submitter && event.submitter.hasAttribute("formaction") && dirty) save(true);
    });
    window.addEventListener("beforeunload", function (event) {
      if (dirty && !leaving) { event.preventDefault(); event.returnValue = ""; }
    });
    doc.addEventListener("visibilitychange", function () { if (doc.hidden && dirty && !leaving) save(true); });
    window.addEventListener("online", function () { if (dirty) save(); });
    form.zrAutosave = { save: save };
  }

  // ---- files: [data-upload-url] ----------------------------------------------------------------------------------
  function dropzone(zone) {
    if (zone.zrUpload) return;
    zone.zrUpload = true;
    var input = zone.querySelector("input[type=file]"), list = zone.querySelector("[data-upload-queue]") || zone.appendChild(make("ul", "zr-uploads"));
    var limit = parseInt(zone.dataset.maxBytes, 10) || 0, queue = [], running = false;

    function add(files) { Array.prototype.forEach.call(files, function (file) { enqueue(file); }); next(); }
    function enqueue(file) {
      var row = make("li", "zr-upload"), note = make("span", "zr-upload-note", word("waiting"));
      row.appendChild(make("span", "", file.name + " · " + bytes(file.size))); row.appendChild(note);
      list.appendChild(row);
      var job = { file: file, row: row, note: note };
      if (limit && file.size > limit) { fail(job, word("toolarge", { max: bytes(limit) })); return; }
      if (!file.size) { fail(job, word("emptyfile")); return; }
      queue.push(job);
    }
    function fail(job, text, retry) {
      job.row.classList.add("has-error");
      all("progress, .zr-upload-acts", job.row).forEach(function (node) { node.remove(); });
      job.note.textContent = text;
      var acts = make("span", "zr-upload-acts");
      if (retry) {
        var retryButton = make("button", "btn btn-sm", word("retry"));
        retryButton.type = "button";
        retryButton.addEventListener("click", function () { acts.remove(); job.row.classList.remove("has-error"); job.note.textContent = word("waiting"); queue.push(job); next(); });
        acts.appendChild(retryButton);
      }
      var dismiss = make("button", "btn btn-sm", word("dismiss"));
      dismiss.type = "button";
      dismiss.addEventListener("click", function () { job.row.remove(); });
      acts.appendChild(dismiss);
      job.row.insertBefore(acts, job.note);
      // not behind the bar of buttons at the foot of the page
      if (job.row.scrollIntoView) job.row.scrollIntoView({ block: "nearest" });
    }
    function next() {
      if (running || !queue.length) return;
      running = true;
      var job = queue.shift(), request = new XMLHttpRequest(), data = new FormData(), bar = make("progress"), acts = make("span", "zr-upload-acts"), cancel = make("button", "btn btn-sm", word("cancel"));
      bar.max = 100; bar.value = 0; bar.setAttribute("aria-label", job.file.name);
      cancel.type = "button"; cancel.addEventListener("click", function () { request.abort(); });
      acts.appendChild(cancel); job.row.appendChild(acts); job.row.appendChild(bar);
      job.note.textContent = word("uploading");
      data.append((input && input.name) || "files", job.file, job.file.name);
      data.append("csrfmiddlewaretoken", csrf(zone.closest("form")));
      function finish() { running = false; next(); }
      request.upload.onprogress = function (event) {
        if (!event.lengthComputable) return;
        bar.value = Math.round(event.loaded / event.total * 100);
        job.note.textContent = word("uploading") + " " + bar.value + "%";
      };
      request.onload = function () {
        var text = request.responseText || "";
        if (request.status >= 200 && request.status < 300) {
          if (/^\s*<(!doctype|html)/i.test(text)) { fail(job, word("expired"), true); finish(); return; }
          job.row.remove();
          var target = doc.querySelector(zone.dataset.uploadTarget);
          if (target) { target.innerHTML = text; if (window.htmx) window.htmx.process(target); }
          emit(zone, "zeren:uploaded", { name: job.file.name });
        } else {
          var message = "";
          try { message = JSON.parse(text).error || ""; } catch (error) { /* an HTML error page */ }
          fail(job, message || (request.status === 413 ? word("toolarge", { max: limit ? bytes(limit) : "" }) : request.status === 403 ? word("forbidden") : word("server", { code: request.status })), request.status >= 500 || request.status === 403);
        }
        finish();
      };
      request.onerror = function () { fail(job, word("nonet"), true); finish(); };
      request.onabort = function () { job.row.remove(); finish(); };
      request.open("POST", zone.dataset.uploadUrl);
      request.setRequestHeader("X-CSRFToken", csrf(zone.closest("form")));
      request.setRequestHeader("X-Requested-With", "XMLHttpRequest");
      request.send(data);
    }
    if (input) input.addEventListener("change", function () { add(input.files); input.value = ""; });
    ["dragenter", "dragover"].forEach(function (name) { zone.addEventListener(name, function (event) { event.preventDefault(); zone.classList.add("is-over"); }); });
    ["dragleave", "drop"].forEach(function (name) { zone.addEventListener(name, function (event) { event.preventDefault(); if (name === "drop" || !zone.contains(event.relatedTarget)) zone.classList.remove("is-over"); }); });
    zone.addEventListener("drop", function (event) { if (event.dataTransfer) add(event.dataTransfer.files); });
    zone.zrAdd = add;
    zone.zrBusy = function () { return running || queue.length > 0; };
  }
  doc.addEventListener("paste", function (event) {
    var files = event.clipboardData && event.clipboardData.files;
    if (!files || !files.length) return;
    var form = doc.activeElement && doc.activeElement.closest && doc.activeElement.closest("form");
    var zone = (form && form.querySelector("[data-upload-url]")) || doc.querySelector("[data-upload-url]");
    if (!zone || !zone.zrAdd) return;
    event.preventDefault();
    zone.zrAdd(Array.prototype.map.call(files, function (file) {
      // Screenshots all arrive as image.png: give each its own name.
      if (!/^image\.\w+$/.test(file.name)) return file;
      var now = new Date(), stamp = now.getFullYear() + ("0" + (now.getMonth() + 1)).slice(-2) + ("0" + now.getDate()).slice(-2) + "-" + clock(now).replace(":", "") + ("0" + now.getSeconds()).slice(-2);
      return new File([file], word("pasted") + " " + stamp + file.name.slice(5), { type: file.type });
    }));
  });
  ["dragover", "drop"].forEach(function (name) {
    // A file dropped beside the zone must not replace the page and the draft on it.
    window.addEventListener(name, function (event) { if (doc.querySelector("[data-upload-url]") && !event.defaultPrevented) event.preventDefault(); });
  });
  window.addEventListener("beforeunload", function (event) {
    if (all("[data-upload-url]").some(function (zone) { return zone.zrBusy && zone.zrBusy(); })) { event.preventDefault(); event.returnValue = ""; }
  });

  // ---- keyboard --------------------------------------------------------------------------------------------------
  function typing(node) { return node && (node.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(node.tagName) && !/^(checkbox|radio|button|submit)$/.test(node.type)); }
  function rowsOf(list) {
    var marked = all("[data-keynav-item]", list);
    return (marked.length ? marked : Array.prototype.slice.call(list.children)).filter(function (row) { return row.offsetParent !== null; });
  }
  function move(step) {
    var current = doc.querySelector("[data-keynav] .is-selected"), list = (current && current.closest("[data-keynav]")) || doc.querySelector("[data-keynav]");
    if (!list) return false;
    var lists = all("[data-keynav]"), rows = [].concat.apply([], lists.map(rowsOf));
    if (!rows.length) return false;
    var index = rows.indexOf(current), target = rows[Math.max(0, Math.min(rows.length - 1, index < 0 ? (step > 0 ? 0 : rows.length - 1) : index + step))];
    rows.forEach(function (row) { row.classList.toggle("is-selected", row === target); });
    target.setAttribute("tabindex", "-1");
    target.focus({ preventScroll: true });
    target.scrollIntoView({ block: "nearest" });
    return true;
  }
  function openHelp() { var dialog = doc.querySelector("[data-help-dialog]"); if (dialog && dialog.showModal && !dialog.open) dialog.showModal(); }
  doc.addEventListener("keydown", function (event) {
    if (event.isComposing || event.ctrlKey || event.metaKey || event.altKey || doc.querySelector("dialog[open]")) return;
    if (event.key === "Escape") { all("details[data-menu][open]").forEach(function (menu) { menu.open = false; menu.querySelector("summary").focus(); }); return; }
    if (typing(event.target)) return;
    var inList = event.target.closest && event.target.closest("[data-keynav]");
    if (event.key === "j" || event.key === "ArrowDown" && inList) { if (move(1)) event.preventDefault(); }
    else if (event.key === "k" || event.key === "ArrowUp" && inList) { if (move(-1)) event.preventDefault(); }
    else if (event.key === "Enter" && inList && event.target.classList.contains("is-selected")) {
      var link = event.target.matches("a[href]") ? event.target : event.target.querySelector("[data-keynav-open], a[href]");
      if (link) { event.preventDefault(); link.click(); }
    } else if (event.key === "/") {
      var search = doc.querySelector("[data-search], input[type=search]");
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    } else if (event.key === "?") { event.preventDefault(); openHelp(); }
  });
  all("[data-help-open]").forEach(function (button) { button.hidden = false; button.addEventListener("click", openHelp); });

  // ---- small manners ---------------------------------------------------------------------------------------------
  doc.addEventListener("click", function (event) {
    all("details[data-menu][open]").forEach(function (menu) { if (!menu.contains(event.target)) menu.open = false; });
    if (!event.target.closest) return;
    if (event.target.closest("[data-print]")) { window.print(); return; }
    if (event.target.closest("[data-back]")) { history.back(); return; }
    var dialogLink = event.target.closest("[data-dialog-open]");
    if (dialogLink) { var dialog = doc.querySelector(dialogLink.dataset.dialogOpen); if (dialog && dialog.showModal) { event.preventDefault(); dialog.showModal(); } return; }
    var unfold = event.target.closest("[data-unfold-all]");
    if (unfold) {
      var nodes = all("details", unfold.closest("section, .zr-card, main") || doc), open = nodes.some(function (node) { return !node.open; });
      nodes.forEach(function (node) { node.open = open; });
      unfold.textContent = open ? word("fold") : word("unfold");
    }
  });
  var folded = [];
  window.addEventListener("beforeprint", function () { folded = all(".zr-why details:not([open])"); folded.forEach(function (node) { node.open = true; }); });
  window.addEventListener("afterprint", function () { folded.forEach(function (node) { node.open = false; }); folded = []; });

  doc.addEventListener("change", function (event) {
    var node = event.target;
    if (node.matches("[data-autosubmit]") && node.form) { if (node.form.requestSubmit) node.form.requestSubmit(); else node.form.submit(); return; }
    var form = node.form;
    if (!form || node.type !== "checkbox") return;
    if (node.dataset.checkAll) all('input[type=checkbox][name="' + node.dataset.checkAll + '"]:not(:disabled)', form).forEach(function (box) { box.checked = node.checked; });
    chosen(form);
  });
  function chosen(form) {
    var master = form.querySelector("[data-check-all]");
    if (!master) return;
    var boxes = all('input[type=checkbox][name="' + master.dataset.checkAll + '"]:not(:disabled)', form), n = boxes.filter(function (box) { return box.checked; }).length;
    master.checked = n > 0 && n === boxes.length; master.indeterminate = n > 0 && n < boxes.length;
    all("[data-check-count]", form).forEach(function (node) { node.textContent = word("chosen", { n: n }); });
    all("[data-needs-chosen]", form).forEach(function (node) { node.disabled = n === 0; });
  }

  function relativeTimes() {
    var format = window.Intl && Intl.RelativeTimeFormat && new Intl.RelativeTimeFormat(root.lang || "zh-CN", { numeric: "auto" });
    all("time[data-live-minutes]").forEach(function (node) {
      var at = Date.parse(node.dateTime), minutes = Math.round((at - Date.now()) / 60000);
      if (!format || isNaN(at)) return;
      if (!node.title) node.title = node.textContent;
      node.textContent = Math.abs(minutes) < 1 ? word("now") : Math.abs(minutes) < 60 ? format.format(minutes, "minute") : Math.abs(minutes) < 1440 ? format.format(Math.round(minutes / 60), "hour") : node.title;
    });
  }
  setInterval(relativeTimes, 60000);

  // ---- htmx: token on every request, refusals said aloud ---------------------------------------------------------
  doc.addEventListener("htmx:configRequest", function (event) { event.detail.headers["X-CSRFToken"] = csrf(); });
  doc.addEventListener("htmx:responseError", function (event) {
    var request = event.detail.xhr, message = "";
    try { message = JSON.parse(request.responseText).error || ""; } catch (error) { /* an HTML error page */ }
    toast({ level: "danger", title: message || (request.status === 403 ? word("forbidden") : word("server", { code: request.status })) });
  });
  doc.addEventListener("htmx:sendError", function () { toast({ level: "danger", title: word("nonet") }); });
  doc.addEventListener("htmx:load", function (event) { setup(event.detail.elt); });

  function setup(within) {
    // htmx hands over the new node itself, which may be the form or the zone.
    if (within.matches && within.matches("form[data-autosave-url]")) autosave(within);
    if (within.matches && within.matches("[data-upload-url]")) dropzone(within);
    all("form[data-autosave-url]", within).forEach(autosave);
    all("[data-upload-url]", within).forEach(dropzone);
    all("form").forEach(chosen);
    relativeTimes();
  }
  setup(doc);
  var first = doc.querySelector("[data-autofocus]");
  if (first) first.focus();

  window.zeren = { toast: toast, ask: ask };
})();
