import QtQuick
import QtQuick.Controls.Basic

Item {
    id: table
    required property var rows
    required property var theme
    required property string emptyText
    readonly property var columns: rows ? rows.columns() : []
    readonly property int shares: columns.reduce((sum, c) => sum + c.share, 0)
    function toneInk(tone) {
        return tone === "bad" ? theme.bad : tone === "warn" ? theme.warn
             : tone === "good" ? theme.good : theme.ink
    }
    Row {
        id: header
        width: parent.width
        height: 32
        Repeater {
            model: table.columns
            Text {
                required property var modelData
                width: table.width * modelData.share / table.shares
                height: header.height
                leftPadding: 12; rightPadding: 12
                verticalAlignment: Text.AlignVCenter
                horizontalAlignment: modelData.number ? Text.AlignRight : Text.AlignLeft
                text: modelData.title
                color: table.theme.muted
                font.pixelSize: 12
                elide: Text.ElideRight
            }
        }
    }
    Rectangle { anchors.top: header.bottom; width: parent.width; height: 1; color: table.theme.line }
    ListView {
        id: list
        anchors { top: header.bottom; topMargin: 1; bottom: parent.bottom; left: parent.left; right: parent.right }
        clip: true
        model: table.rows
        boundsBehavior: Flickable.StopAtBounds
        activeFocusOnTab: true
        Accessible.role: Accessible.Table
        ScrollBar.vertical: ScrollBar {}
        delegate: Rectangle {
            id: line
            required property int index
            required property var cells
            required property string tone
            width: list.width
            height: 30
            color: index % 2 ? table.theme.stripe : "transparent"
            Row {
                anchors.fill: parent
                Repeater {
                    model: table.columns
                    Text {
                        required property var modelData
                        required property int index
                        readonly property bool tells: ["State", "Verdict", "Severity"].includes(modelData.title)
                        width: table.width * modelData.share / table.shares
                        height: line.height
                        leftPadding: 12; rightPadding: 12
                        verticalAlignment: Text.AlignVCenter
                        horizontalAlignment: modelData.number ? Text.AlignRight : Text.AlignLeft
                        text: line.cells[index]
                        color: tells ? table.toneInk(line.tone) : table.theme.ink
                        font.pixelSize: 13
                        font.weight: tells ? Font.DemiBold : Font.Normal
                        font.features: { "tnum": 1 }
                        elide: Text.ElideRight
                    }
                }
            }
        }
    }
    Text {
        anchors.centerIn: parent
        visible: list.count === 0
        text: table.emptyText
        color: table.theme.muted
        font.pixelSize: 14
    }
}
