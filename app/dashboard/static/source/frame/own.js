// Each request of a page says whose page it is: the cookie of the browser may be another person's by
// now. Then it is refused, nothing is done, and the page gives way.
const ME = "Helpline-Me";
export const { me } = document.body.dataset;

// Whether a request was refused for that, by its answer of `fetch` or of htmx.
export const isOfAnother = (answer) =>
  Boolean(answer.headers ? answer.headers.get(ME) : answer.getResponseHeader(ME));

// Say in the headers of a request whose page it is.
export const mark = (headers = {}) => (me ? Object.assign(headers, { [ME]: me }) : headers);

// As `fetch`, which no script of a page with a person calls for what the person may do.
export const fetchOwn = async (url, options = {}) => {
  const answer = await fetch(url, { ...options, headers: mark({ ...options.headers }) });
  if (isOfAnother(answer)) document.dispatchEvent(new Event("helpline:refused"));
  return answer;
};
