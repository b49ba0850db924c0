// The mark of a colored picture in its XMP, and what no longer holds: see `mark_xmp` in
// colorizer/pictures/metadata/xmp.py.

const RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";
const IPTC = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/";
const SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";
const EMPTY = `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="${RDF}"/></x:xmpmeta>`;
const XMLNS = "http://www.w3.org/2000/xmlns/";
const TERMS = "http://purl.org/dc/terms/";

// `old` and `beside`: namespaces, with names; they come from the Python side (model/about.json).
export function marked(packet, system, version, { old, beside }) {
  const parsed = parse(packet);
  const document = parsed || parse(EMPTY);
  const rdf = document.getElementsByTagNameNS(RDF, "RDF")[0];
  const texts = { DigitalSourceType: SOURCE_TYPE, AISystemUsed: system, AISystemVersionUsed: version };
  const names = { ...old, [IPTC]: Object.keys(texts) };
  const isOld = (node) => {
    const space = node.namespaceURI || "";
    if (space === TERMS && node.localName === "provenance") return (node.value ?? node.textContent + node.outerHTML).includes("jumbf");
    return (names[space] || []).includes(node.localName) || beside.some((one) => space.startsWith(one));
  };
  for (const element of [...document.getElementsByTagName("*")]) {
    for (const attribute of [...element.attributes]) if (isOld(attribute)) element.removeAttributeNode(attribute);
    if (isOld(element)) element.remove();
  }
  const description = document.createElementNS(RDF, "rdf:Description");
  description.setAttributeNS(XMLNS, "xmlns:Iptc4xmpExt", IPTC); // here, so that the mark reads as everywhere
  description.setAttributeNS(RDF, "rdf:about", "");
  for (const [name, text] of Object.entries(texts)) {
    const element = document.createElementNS(IPTC, `Iptc4xmpExt:${name}`);
    element.textContent = text;
    description.append(element);
  }
  rdf.append(description);
  const body = new XMLSerializer().serializeToString(document.documentElement);
  return { xmp: `<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>${body}<?xpacket end="w"?>`, isLost: !!packet?.trim() && !parsed };
}

function parse(packet) {
  const text = (packet || "").replace(/[\0\s]+$/, "").trim();
  if (!text) return null;
  const document = new DOMParser().parseFromString(text, "application/xml");
  const isBroken = document.getElementsByTagName("parsererror").length > 0;
  return !isBroken && document.getElementsByTagNameNS(RDF, "RDF").length ? document : null;
}
