for (const head of document.querySelectorAll("th[aria-sort]")) {
  head.firstElementChild.addEventListener("click", () => {
    const body = head.closest("table").tBodies[0], down = head.getAttribute("aria-sort");
    const order = down === "descending" ? "ascending" : "descending";
    for (const other of head.parentNode.cells) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", order);
    const value = row => row.cells[head.cellIndex].dataset.value;
    const text = head.classList.contains("text"), sign = order === "ascending" ? 1 : -1;
    const size = v => v.split("x").reduce((product, extent) => product * Number(extent), 1);
    const compare = (a, b) => text ? a.localeCompare(b, "en", {numeric: true}) : size(a) - size(b);
    const known = row => !["?", ""].includes(value(row));
    [...body.rows].sort((a, b) => known(b) - known(a)
      || (known(a) ? sign * compare(value(a), value(b)) : 0)).forEach(row => body.append(row));
  });
}
