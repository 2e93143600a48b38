// A worker of this page, from outside: every question has a number, which its answer repeats.

export class WorkerClient {
  /** @param {Worker} worker */
  constructor(worker) {
    this.worker = worker;
    /** @type {Map<number, {resolve: (answer: any) => void, reject: (error: Error) => void}>} */
    this.waiting = new Map();
    this.count = 0;
    this.worker.onmessage = ({ data: { id, error, ...answer } }) => {
      const asked = this.waiting.get(id);
      this.waiting.delete(id);
      if (error) asked?.reject(new Error(error));
      else asked?.resolve(answer);
    };
    this.worker.onerror = event => {
      for (const { reject } of this.waiting.values()) reject(new Error(event.message || "the model cannot be run in this browser"));
      this.waiting.clear();
    };
  }

  /** @param {Record<string, unknown>} question @returns {Promise<any>} */
  ask(question) {
    const id = ++this.count;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ ...question, id });
    });
  }

  /** Say something that is not answered. @param {Record<string, unknown>} message */
  tell(message) { this.worker.postMessage(message); }

  close() { this.worker.terminate(); }
}
