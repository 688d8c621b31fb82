// Filter and sort. The page reads in full without them: what they need is made here.
(() => {
  const table = document.querySelector("table.pairs");
  const tools = document.querySelector(".tools");
  if (!table || !tools) return;
  const pairs = () => [...table.tBodies];
  const input = tools.querySelector("input");
  const status = tools.querySelector("[role=status]");
  tools.hidden = false;

  input.addEventListener("input", () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const item of [...pairs(), ...document.querySelectorAll(".divergence")]) {
      const text = item.textContent.toLowerCase();
      item.hidden = !words.every((word) => text.includes(word));
    }
    const shown = pairs().filter((body) => !body.hidden).length;
    status.textContent = words.length ? `${shown} of ${pairs().length} pairs` : "";
  });

  for (const all of tools.querySelectorAll("button")) {
    all.addEventListener("click", () => {
      for (const details of table.querySelectorAll("details")) details.open = all.value === "unfold";
    });
  }

  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (body) => body.rows[0].cells[column].dataset.key;
      const order = (a, b) => {
        const [x, y] = [key(a), key(b)];
        const gap = x === "" || y === "" ? (x === "") - (y === "") : isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return x === "" || y === "" ? gap : down ? -gap : gap;
      };
      table.append(...pairs().sort(order));
    });
  });
})();
