// Two soft notes for a message that nobody is looking at. Off until the customer wants it.
//
// It knows: how they are made, and that a browser allows them only after somebody has pressed something.
// It must not know: what was said.

const NOTES = [[659, 0], [880, 0.12]]; // hertz, seconds after the beginning
const LENGTH = 0.35;
const LOUDNESS = 0.06;

export class Sound {
  #memory;
  #context = null;

  /** @param {import("./memory.js").Memory} memory */
  constructor(memory) {
    this.#memory = memory;
  }

  get on() {
    return this.#memory.get("sound") === true;
  }

  /** Switched on by a press it plays once, so that one hears what to expect. */
  switch(on) {
    this.#memory.set("sound", on);
    if (on) this.play();
  }

  /** Plays if it is on and the browser lets it. */
  play() {
    if (!this.on || typeof AudioContext === "undefined") return;
    this.#context ??= new AudioContext();
    const context = this.#context;
    context.resume?.();
    for (const [pitch, after] of NOTES) {
      const [tone, volume, start] = [context.createOscillator(), context.createGain(), context.currentTime + after];
      tone.frequency.value = pitch;
      volume.gain.setValueAtTime(LOUDNESS, start);
      volume.gain.exponentialRampToValueAtTime(0.0001, start + LENGTH);
      tone.connect(volume).connect(context.destination);
      tone.start(start);
      tone.stop(start + LENGTH);
    }
  }
}
