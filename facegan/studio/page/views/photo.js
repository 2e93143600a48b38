// My photo: a face of one's own in a model, to be changed.
import { post } from "../api.js";
import { html, useEffect, useState } from "../html.js";
import { fileOf, useResults } from "../parts/live.js";
import { Editor } from "../photo/editor.js";
import { FindFace } from "../photo/find.js";
import { recalledOf } from "../results.js";
import { navigate } from "../router.js";
import { useStore } from "../store.js";
import { Button, ErrorLine, PictureGrid, Spinner } from "../ui.js";

/** @param {{id: string, state: Record<string, string>}} props */
function View({ id, state }) {
  const project = useStore(all => all.project);
  if (!project) return html`<h1>My photo</h1><p><${Spinner} /></p>`;
  const recalled = recalledOf(state, "invert", "edit");
  if (recalled?.action === "edit") return html`<h1>My photo</h1><${Edited} settings=${recalled.settings} />`;
  if (id && !recalled) return html`<h1>My photo</h1><${Editor} key=${id} id=${id} state=${state} />`;
  return html`<h1>My photo</h1>
    <p class="lead">Bring a photo of a face: the studio finds it in a model, and then you can make it smile, age or wear glasses.</p>
    <${FindFace} key=${state.settings ?? ""} recalled=${recalled?.settings ?? null} job=${state.job ?? ""} onJob=${(/** @type {string} */ job) => navigate("photo", "", { job }, { replace: true })} />
    <${Earlier} />`;
}

/** The editor with the strengths of an edit that was kept. @param {{settings: Record<string, any>}} props */
function Edited({ settings }) {
  const [error, setError] = useState("");
  const face = String(settings.face ?? "");
  useEffect(() => {
    post(`/api/photo/${encodeURIComponent(face)}/words`, { text: String(settings.edits ?? "") }).then(
      ({ moves }) => navigate("photo", face, { moves: JSON.stringify(moves) }, { replace: true }), problem => setError(problem.message));
  }, [face]);
  return error ? html`<${ErrorLine} error=${error} /><div class="actions"><${Button} icon="back" href="#/photo">Choose a photo<//></div>` : html`<p><${Spinner} label="Loading the face" /></p>`;
}

function Earlier() {
  const results = useResults("invert");
  if (!results.length) return null;
  return html`<section class="earlier"><h2>Faces found earlier</h2><${PictureGrid} label="Faces found earlier" onSelect=${(/** @type {string} */ id) => navigate("photo", id)}
    items=${results.map(one => ({ id: one.id, src: fileOf(one, "tuned") || fileOf(one, "picture"), alt: `Open the face found ${one.made ?? ""}`, caption: one.result?.model ?? "" }))} /></section>`;
}

export default { View };
