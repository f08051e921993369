// Keeps changes that have not reached the server on this machine. They are sealed with a key that
// only the server's page knows, so that nothing legible stays on a counsellor's laptop.
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

// Without a secure page the browser cannot seal; then nothing is written to the disk.
export const openOutbox = async (record, secret) => {
  if (!globalThis.crypto?.subtle || !globalThis.indexedDB) return null;
  // The first key seals; the others are earlier ones.
  const keys = await Promise.all(secret.split(",").map((one) =>
    crypto.subtle.importKey("raw", bytes(one), "AES-GCM", false, ["encrypt", "decrypt"])));
  const db = await database();
  const run = (mode, act) => new Promise((resolve, reject) => {
    const transaction = db.transaction(STORE, mode);
    const request = act(transaction.objectStore(STORE));
    transaction.oncomplete = () => resolve(request.result);
    transaction.onerror = () => reject(transaction.error);
  });
  // Marks changes of this window. Changes of another window must not be deleted here.
  const window_ = crypto.randomUUID();
  const seal = async (change) => {
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const body = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, keys[0], new TextEncoder().encode(JSON.stringify(change)));
    return { iv, body, window: window_ };
  };
  const name = (path) => `${record}|${path}`;
  let last = Promise.resolve();
  // One write after the other, so that the newest state stays.
  const then = (act) => { last = last.catch(() => {}).then(act); return last; };
  return {
    read: async () => {
      const range = IDBKeyRange.bound(`${record}|`, `${record}|\uffff`);
      const names = await run("readonly", (store) => store.getAllKeys(range));
      const kept = await run("readonly", (store) => store.getAll(range));
      const found = {};
      for (const [n, { iv, body }] of kept.entries()) {
        try {
          const plain = await Promise.any(keys.map((key) => crypto.subtle.decrypt({ name: "AES-GCM", iv }, key, body)));
          found[names[n].slice(record.length + 1)] = JSON.parse(new TextDecoder().decode(plain));
        } catch {
          // Sealed for another person who uses this machine.
        }
      }
      return found;
    },
    put: (path, change) => then(async () => {
      const sealed = await seal(change);
      return run("readwrite", (store) => store.put(sealed, name(path)));
    }),
    // Deletes a change that has arrived. `inherited`: it was written by a window that is gone.
    drop: (path, inherited) => then(() => run("readwrite", (store) => {
      const asked = store.get(name(path));
      asked.onsuccess = () => {
        if (asked.result && (inherited || asked.result.window === window_)) store.delete(name(path));
      };
      return asked;
    })),
  };
};
