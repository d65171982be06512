/* 责任 Zeren – finding rows in a long table. form[data-filter="#box"] filters [data-filter-item] inside the box: the search
   field by what a row says (folded readings too), each select[data-filter-list="x"] by the row's data-x, a list joined by
   bars. What is chosen stands in the address, so that the view can be sent to a colleague. */
(function () {
  "use strict";
  function all(selector, within) { return Array.prototype.slice.call((within || document).querySelectorAll(selector)); }
  function plain(text) { return text.replace(/\s+/g, "").toLowerCase(); }

  all("form[data-filter]").forEach(function (form) {
    var box = document.querySelector(form.dataset.filter), items = all("[data-filter-item]", box), timer = null;
    var fields = all("input, select", form), count = form.querySelector("[data-filter-count]"), none = box.querySelector("[data-filter-none]");
    function nameOf(field) { return (form.dataset.filterPrefix || "") + field.name; }
    // textContent of 67 rows is read once, not with every key
    var texts = items.map(function (item) { return plain(item.textContent + " " + item.id); });
    var given = new URLSearchParams(location.search);
    fields.forEach(function (field) { if (given.has(nameOf(field))) field.value = given.get(nameOf(field)); });

    function apply() {
      var shown = 0, active = fields.some(function (field) { return field.value; });
      items.forEach(function (item, index) {
        var fits = fields.every(function (field) {
          if (!field.value) return true;
          var list = field.dataset.filterList;
          return list ? (item.dataset[list] || "").split("|").indexOf(field.value) >= 0 : texts[index].indexOf(plain(field.value)) >= 0;
        });
        item.hidden = !fits;
        if (fits) shown += 1;
      });
      box.classList.toggle("is-filtered", active);
      all("[data-filter-group]", box).forEach(function (group) {
        group.hidden = !all("[data-filter-item]", group).some(function (item) { return !item.hidden; });
      });
      if (none) none.hidden = shown > 0;
      if (count) count.textContent = active ? count.dataset.text.replace("{n}", shown).replace("{all}", items.length) : "";
      var query = new URLSearchParams(location.search);
      fields.forEach(function (field) { if (field.value) query.set(nameOf(field), field.value); else query.delete(nameOf(field)); });
      var text = query.toString();
      history.replaceState(history.state, "", location.pathname + (text ? "?" + text : "") + location.hash);
    }
    form.addEventListener("submit", function (event) { event.preventDefault(); apply(); });
    form.addEventListener("input", function () { clearTimeout(timer); timer = setTimeout(apply, 120); });
    form.addEventListener("change", apply);
    form.addEventListener("reset", function () { setTimeout(apply, 0); });
    form.zrClear = function () { form.reset(); fields.forEach(function (field) { field.value = ""; }); apply(); };
    if (fields.some(function (field) { return field.value; })) apply();
  });

  all("[data-unfold]").forEach(function (button) {
    button.addEventListener("click", function () {
      var nodes = all("details", document.querySelector(button.dataset.unfold)), open = nodes.some(function (node) { return !node.open; });
      nodes.forEach(function (node) { node.open = open; });
    });
  });

  // A link to a sentence shows it even when a filter has hidden its row, with its reading open.
  function reveal() {
    var target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    var item = target.closest("[data-filter-item]");
    if (item && item.hidden) {
      all("form[data-filter]").forEach(function (form) { var box = document.querySelector(form.dataset.filter); if (box.contains(item)) form.zrClear(); });
      target.scrollIntoView();
    }
    if (target.classList.contains("zs-par")) all("details", target).forEach(function (node) { node.open = true; });
  }
  window.addEventListener("hashchange", reveal);
  reveal();
})();
