// A page that could not be shown because the database was away asks by itself whether it is back.
import { again, onPage } from "../pages.js";

// Milliseconds between two questions, at least. Each page has a time of its own: not all ask together.
const EVERY = 5000;

const later = (part) => setTimeout(() => ask(part), EVERY * (1 + Math.random()));
const ask = async (part) => {
  if (!part.isConnected) return;
  const answer = await fetch("/board/heartbeat?acts=false", { method: "POST" }).catch(() => null);
  if (!part.isConnected) return;
  if (answer && answer.status < 500) again();
  else later(part);
};

onPage(() => { for (const part of document.querySelectorAll("[data-again]")) later(part); });
