// My photo: a face of one's own in a model, to be changed.
import { html } from "../html.js";
import { Earlier } from "../parts/earlier.js";
import { Editor } from "../photo/editor.js";
import { FindFace } from "../photo/find.js";
import { recalledOf } from "../results.js";
import { navigate } from "../router.js";
import { useStore } from "../store.js";
import { Spinner } from "../ui.js";

/** @param {{id: string, state: Record<string, string>}} props */
function View({ id, state }) {
  const project = useStore(all => all.project);
  if (!project) return html`<h1>My photo</h1><p><${Spinner} /></p>`;
  if (id) return html`<h1>My photo</h1><${Editor} key=${id} id=${id} state=${state} />`;
  const recalled = recalledOf(state, "invert")?.settings ?? null;
  return html`<h1>My photo</h1>
    <p class="lead">Bring a photo of a face: the studio finds it in a model, and then you can make it smile, age or wear glasses.</p>
    <${FindFace} key=${state.settings ?? ""} recalled=${recalled} job=${state.job ?? ""} onJob=${(/** @type {string} */ job) => navigate("photo", "", { job }, { replace: true })} />
    <${Earlier} action="invert" title="Faces found earlier" onOpen=${(/** @type {string} */ found) => navigate("photo", found)} caption=${(/** @type {any} */ one) => one.result?.model ?? ""} />`;
}

export default { View };
