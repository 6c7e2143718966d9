// The slider moves a marker over the same step of both pictures.
for (const orbit of document.querySelectorAll(".orbit")) {
	const slider = orbit.querySelector("input");
	const move = () => {
		for (const picture of orbit.querySelectorAll("svg")) {
			const step = picture.querySelectorAll(".step")[slider.value - 1];
			const marker = picture.querySelector(".marker");
			marker.setAttribute("cx", step.getAttribute("cx"));
			marker.setAttribute("cy", step.getAttribute("cy"));
			orbit.querySelector("output").value = step.dataset.says;
			slider.setAttribute("aria-valuetext", step.dataset.says);
		}
	};
	slider.addEventListener("input", move);
	move();
}
