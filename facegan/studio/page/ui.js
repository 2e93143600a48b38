// The page's components, in one import.
export { CommandBox, copyText } from "./ui/command.js";
export { Button, IconButton, Select, Slider, Switch, Tabs, TextInput } from "./ui/controls.js";
export { Dialog, EmptyState, ErrorLine, Progress, Spinner } from "./ui/feedback.js";
export { JobCard, JobProgress } from "./ui/jobs.js";
export { Markdown } from "./ui/markdown.js";
export { ModelPicker, chosenModel } from "./ui/models.js";
export { DropZone, Picture, PictureGrid, droppedFiles } from "./ui/pictures.js";
export { Toasts, toast, toastError } from "./ui/toasts.js";
export { Icon } from "./icons.js";
