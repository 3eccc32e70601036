// Without this script the page is whole; with it, a box above the examples hides those that lack the words typed.
document.querySelectorAll(".examples").forEach(function (block) {
  var box = block.querySelector(".filter");
  var input = box.querySelector("input");
  var count = box.querySelector("output");
  var items = Array.from(block.querySelectorAll(".example"));
  box.hidden = items.length < 3;
  input.addEventListener("input", function () {
    var words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    var shown = items.filter(function (item) {
      var text = item.textContent.toLowerCase();
      item.hidden = !words.every(function (word) { return text.includes(word); });
      return !item.hidden;
    });
    count.textContent = words.length ? shown.length + " of " + items.length : "";
  });
});
