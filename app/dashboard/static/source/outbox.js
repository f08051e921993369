// What has not reached the server yet, kept on this machine. It is sealed with a key that only
// the server's page knows, so that nothing legible stays behind on a counsellor's laptop.
const NAME = "helpline";
const STORE = "outbox";

let opening;
const database = () => {
  opening ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
  return opening;
};

const bytes = (base64) => Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));

// Without a secure page there is no way to seal; then nothing is written to the disk.
export const openOutbox = async (record, secret) => {
  if (!globalThis.crypto?.subtle || !globalThis.indexedDB) return null;
  const key = await crypto.subtle.importKey("raw", bytes(secret), "AES-GCM", false, ["encrypt", "decrypt"]);
  const db = await database();
  const run = (mode, act) => new Promise((resolve, reject) => {
    const transaction = db.transaction(STORE, mode);
    const request = act(transaction.objectStore(STORE));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = () => reject(transaction.error);
  });
  let last = Promise.resolve();
  return {
    read: async () => {
      const kept = await run("readonly", (store) => store.get(record));
      if (!kept) return {};
      try {
        const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv: kept.iv }, key, kept.body);
        return JSON.parse(new TextDecoder().decode(plain));
      } catch {
        return {};
      }
    },
    // One write after the other, each with the newest state.
    write: (pending) => {
      const text = JSON.stringify(pending);
      last = last.catch(() => {}).then(async () => {
        if (text === "{}") return run("readwrite", (store) => store.delete(record));
        const iv = crypto.getRandomValues(new Uint8Array(12));
        const body = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, key, new TextEncoder().encode(text));
        return run("readwrite", (store) => store.put({ iv, body }, record));
      });
      return last;
    },
  };
};
