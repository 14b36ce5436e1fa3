// Copies a demo order number when it is pressed.
//
// It knows: this page's buttons. It must not know: the chat.
const status = document.querySelector(".copied");

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const number = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(number);
      status.textContent = `${number} is copied. Paste it into the chat.`;
    } catch {
      // Without TLS, or when the browser forbids it, the number is still there to read.
      status.textContent = `Ask the chat about ${number}.`;
    }
  });
}
