// Filter, sort and fold. The page reads in full without them: what they need is made here.
(() => {
  const table = document.querySelector("table.pairs");
  const tools = document.querySelector(".tools");
  if (!table || !tools) return;
  const pairs = () => [...table.tBodies];
  const [input, status] = [tools.querySelector("input"), tools.querySelector("[role=status]")];
  const [verdict, stage] = ["verdict", "stage"].map((name) => tools.querySelector(`select[name=${name}]`));
  const text = (node) => node.textContent.toLowerCase();
  tools.hidden = false;

  // What is searched, read once: a row's words count with those of its case and its pair.
  let known;
  const read = () => (known ??= {
    cards: [...document.querySelectorAll(".divergence")].map((node) => ({ node, text: text(node) })),
    pairs: pairs().map((node) => ({
      node,
      text: text(node.rows[0].cells[0]),
      cases: [...node.querySelectorAll(".case")].map((node) => ({
        node,
        text: text(node.querySelector("summary")),
        all: text(node),
        rows: [...node.querySelectorAll("tr[data-stage]")].map((node) => ({ node, text: text(node) })),
      })),
    })),
  });

  const isKind = ({ dataset }) =>
    (!verdict.value || dataset.verdict === verdict.value || (verdict.value === "differs" && "differs" in dataset)) &&
    (!stage.value || dataset.stage === stage.value);
  const filter = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    const has = (...texts) => words.every((word) => texts.some((text) => text.includes(word)));
    const plain = !verdict.value && !stage.value;
    let [comparisons, shown] = [0, 0];
    for (const { node, text } of read().cards) {
      const wrong = verdict.value === "differs" && (!stage.value || node.dataset.stage === stage.value);
      node.hidden = !((wrong || isKind(node)) && has(text));
    }
    for (const pair of read().pairs) {
      let some = false;
      for (const item of pair.cases) {
        let rows = 0;
        for (const row of item.rows) {
          row.node.hidden = !(isKind(row.node) && has(row.text, item.text, pair.text));
          rows += !row.node.hidden;
        }
        const failed = item.node.dataset.verdict;
        const fails = failed && !stage.value && (verdict.value === "differs" || verdict.value === failed);
        const told = (plain || fails) && has(item.all, pair.text);
        if (told && !rows) for (const row of item.rows) row.node.hidden = false;
        item.node.hidden = !rows && !told;
        for (const box of item.node.querySelectorAll(".scroll")) box.hidden = !box.querySelector("tbody > tr:not([hidden])");
        some ||= !item.node.hidden;
        comparisons += rows;
      }
      pair.node.hidden = !some;
      shown += some;
    }
    for (const section of document.querySelectorAll(".parity section")) {
      const cards = [...section.querySelectorAll(".divergence")];
      if (cards.length) section.hidden = cards.every((card) => card.hidden);
    }
    const asked = words.length || !plain;
    const noun = comparisons === 1 ? "comparison" : "comparisons";
    status.textContent = asked ? `${shown} of ${pairs().length} pairs, ${comparisons} ${noun}` : "";
  };
  for (const control of [input, verdict, stage]) control.addEventListener("input", filter);

  for (const all of tools.querySelectorAll("button")) {
    all.addEventListener("click", () => {
      for (const details of table.querySelectorAll("details")) details.open = all.value === "unfold";
    });
  }

  // On paper nothing unfolds: what differs is open there, whatever was folded on the screen.
  let folded = [];
  addEventListener("beforeprint", () => {
    const wrong = (node) => node.dataset.verdict || node.querySelector("tr[data-differs], .case[data-verdict]");
    folded = [...table.querySelectorAll("details:not([open])")].filter(wrong);
    for (const details of folded) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of folded) details.open = false;
  });

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
      status.textContent = `sorted by ${button.textContent}, ${down ? "descending" : "ascending"}`;
    });
  });
})();
