// What became of a report's page, for tests/report_in_browser.py.
// SPDX-License-Identifier: Apache-2.0
(async () => {
  const all = (what, within = document) => [...within.querySelectorAll(what)];
  const ancestors = e => { const up = []; while ((e = e.parentElement)) up.push(e); return up; };
  const isSeen = e => {
    const box = e.getBoundingClientRect(), style = getComputedStyle(e);
    return box.width > 0 && box.height > 0 && style.visibility === 'visible' && +style.opacity > 0;
  };
  const name = e => `<${e.tagName}> ${e.textContent.slice(0, 40)}`;
  const width = document.documentElement.clientWidth;
  const scrolls = e => ancestors(e).some(a => a !== document.documentElement && getComputedStyle(a).overflowX !== 'visible');

  const pictureOf = async e => {
    const url = e.src || e.href.baseVal, copy = new Image();
    copy.src = url;
    await copy.decode().catch(() => {});
    return {url: url.slice(0, 40), width: copy.naturalWidth, isSeen: isSeen(e)};
  };
  const seriesOf = e => {
    const paths = all('path', e).filter(p => isSeen(p) && getComputedStyle(p).stroke !== 'none');
    return {length: paths.reduce((sum, p) => sum + p.getTotalLength(), 0), points: all('circle', e).filter(isSeen).length};
  };
  return {
    width,
    fullWidth: document.documentElement.scrollWidth,
    tooWide: all('body *').filter(e => e.getBoundingClientRect().right > width + 0.5 && !scrolls(e)).map(name),
    cutOff: all('svg text').filter(e => {  // by the edge of its drawing
      const box = e.getBoundingClientRect(), paper = e.ownerSVGElement.getBoundingClientRect();
      return box.left < paper.left - 1 || box.right > paper.right + 1 || box.top < paper.top - 1 || box.bottom > paper.bottom + 1;
    }).map(name),
    tooSmall: all('svg text').filter(e => Math.hypot(e.getScreenCTM().a, e.getScreenCTM().b) * parseFloat(getComputedStyle(e).fontSize) < 8)
      .map(name),
    title: document.title,
    // Each element as a line: in tables and drawings there are no others between them.
    texts: all('h1, h2, p, th, td, svg text').map(e => e.textContent),
    unseen: all('h1, h2, p, svg, svg text, table').filter(e => !isSeen(e)).map(name),
    tags: [...new Set(all('*').map(e => e.localName))],
    panels: all('svg g.panel').filter(isSeen).map(panel => all('g.series', panel).map(seriesOf)),
    cells: all('svg g.cell').filter(e => isSeen(e.querySelector('rect')) && isSeen(e.querySelector('text')))
      .map(e => Number(e.querySelector('text').textContent.replace(/\D/g, ''))),
    pictures: await Promise.all(all('img, svg image').map(pictureOf)),
    lines: all('table').map(e => e.rows.length),
  };
})()
