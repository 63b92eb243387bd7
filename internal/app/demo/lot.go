package demo

import "emporium/internal/market"

var bidders = []string{
	"Albert", "Beatrix", "Casimir", "Dorothée", "Emeka", "Fiona", "Grzegorz", "Hanae", "Ignacio",
	"Jolanda", "Kwame", "Ljubica", "Magnus", "Noor", "Oisín", "Priya",
}

// lot is an item for auction, and about what it is worth.
type lot struct {
	name  string
	worth market.Money
}

var lots = []lot{
	{"Brass sextant by a London maker, about 1880", 640_00},
	{"Violin, Mirecourt workshop, about 1900", 1850_00},
	{"Woodcut of a heron in rain", 280_00},
	{"Mantel clock in walnut, eight-day movement", 320_00},
	{"Portable typewriter with a French keyboard", 145_00},
	{"Set of twelve botanical prints, hand coloured", 560_00},
	{"Concertina, 48 keys, rosewood ends", 1250_00},
	{"Ship in a bottle, three-masted barque", 85_00},
	{"Surveyor's theodolite in its case", 410_00},
	{"Enamel advertising sign for cocoa", 230_00},
	{"Globe of 1931 with the old borders", 375_00},
	{"Art Nouveau table lamp, green glass", 890_00},
	{"Bentwood rocking chair", 210_00},
	{"Lithograph of Marseille harbour, signed", 470_00},
	{"Mandolin with a bowl back, Naples", 360_00},
	{"Fountain pen, black hard rubber, gold nib", 175_00},
	{"Apothecary's cabinet with forty drawers", 1420_00},
	{"Folding camera, 6 × 9, with leather case", 120_00},
	{"Silver pocket watch with key", 260_00},
	{"Wool rug from Konya, 140 × 210 cm", 780_00},
	{"Chess set, boxwood and ebony", 190_00},
	{"Copperplate map of Bohemia, 1720", 520_00},
	{"Cast-iron garden bench", 240_00},
	{"Telescope on a tripod, brass and leather", 690_00},
	{"Clarinet in B flat, grenadilla", 430_00},
	{"Stoneware jug with a salt glaze", 95_00},
	{"First edition of a mountain guide, 1894", 155_00},
	{"Reed organ with nine stops", 340_00},
	{"Poster for a cycle race, 1926", 610_00},
	{"Oak filing cabinet with a roller shutter", 385_00},
	{"Marionette of a fox in a coat", 110_00},
	{"Barograph under glass, working", 570_00},
	{"Tea service for six, Limoges", 295_00},
	{"Bronze of a leaping hare", 830_00},
	{"Crystal radio set of 1924", 135_00},
	{"Patchwork quilt, log cabin pattern", 225_00},
	{"Nautical chart of the Hebrides", 90_00},
	{"Double bass bow, silver mounted", 960_00},
	{"Station clock with two faces", 1100_00},
	{"Jar of mixed buttons", 12_00},
	{"Letterpress with two cases of type", 1680_00},
	{"Snow globe of the Eiffel Tower", 15_00},
}
