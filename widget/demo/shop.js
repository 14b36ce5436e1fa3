// Copies a demo order number when it is pressed, keeps a basket of make-believe, and tells the chat's
// loader about both, as any shop would: `candor.track`.
//
// It knows: this page's buttons. It must not know: the chat.
const status = document.querySelector(".copied");
const basket = [];

// The loader may still be on its way: what is reported before is kept for it.
globalThis.candor ??= { q: [], track(...event) { this.q.push(event); } };

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const number = button.dataset.copy;
    candor.track("order", { number });
    try {
      await navigator.clipboard.writeText(number);
      status.textContent = `${number} is copied. Paste it into the chat.`;
    } catch {
      // Without TLS, or when the browser forbids it, the number is still there to read.
      status.textContent = `Ask the chat about ${number}.`;
    }
  });
}

for (const button of document.querySelectorAll("[data-price]")) {
  button.addEventListener("click", () => {
    basket.push({ name: button.dataset.name, price: Number(button.dataset.price) });
    const total = basket.reduce((sum, { price }) => sum + price, 0);
    document.querySelector(".basket-words").textContent = `${basket.length} × ${button.dataset.name}, £${total}. Nothing is for sale here, so there is no till.`;
    candor.track("cart", { value: total });
  });
}
